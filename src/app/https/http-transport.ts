// How HTTP goes over the line: plain on this machine, over TLS beyond it, plain beyond it only where the operator says so or a named proxy stands before us.
//
// Invariant: nobody's password crosses a network in the clear because of a default.

import { BlockList, isIP } from 'node:net';
import { ArchiveError } from '../../base/index.ts';
import type { Settings } from '../settings.ts';

export type HttpTransport = {
  readonly tls: boolean;
  /** Whom plain requests are taken from; undefined for everyone. */
  readonly takes: ((address: string | undefined) => boolean) | undefined;
  /** What the operator should know of it. */
  readonly warning: string | undefined;
};

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|::ffff:127(?:\.\d{1,3}){3})$/i;

/** CONFIG_INVALID: a certificate without a key, a certificate and no TLS, a proxy that is no address. */
export function planHttp(settings: Settings): HttpTransport {
  const { host, httpTls, httpTlsCert, httpTlsKey } = settings;
  if ((httpTlsCert === undefined) !== (httpTlsKey === undefined))
    throw new ArchiveError('CONFIG_INVALID', 'http_tls_cert and http_tls_key belong together');
  const isLocal = loopback.test(host);
  const isGiven = httpTlsCert !== undefined;
  if (isGiven && (httpTls === 'off' || httpTls === 'proxy'))
    throw new ArchiveError('CONFIG_INVALID', `a certificate for HTTP was given, and http_tls is ${httpTls}`);
  switch (httpTls) {
    case 'on':
      return { tls: true, takes: undefined, warning: undefined };
    case 'off':
      return {
        tls: false,
        takes: undefined,
        warning: isLocal ? undefined : 'HTTP is not encrypted beyond this machine (http_tls: off)',
      };
    case 'proxy':
      return { tls: false, takes: takesFrom(settings.trustedProxies), warning: undefined };
    case 'auto':
      return { tls: isGiven || !isLocal, takes: undefined, warning: undefined };
  }
}

function takesFrom(proxies: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList();
  list.addSubnet('127.0.0.0', 8, 'ipv4');
  list.addAddress('::1', 'ipv6');
  for (const proxy of proxies) {
    const [address = '', length] = proxy.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    try {
      list.addSubnet(address, length === undefined ? (family === 'ipv6' ? 128 : 32) : Number(length), family);
    } catch {
      throw new ArchiveError('CONFIG_INVALID', 'a trusted proxy is an address such as 10.0.0.5 or 10.0.0.0/8');
    }
  }
  return (address) => {
    const plain = address?.replace(/^::ffff:(?=\d+\.)/, '') ?? '';
    const family = isIP(plain);
    return family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
  };
}
