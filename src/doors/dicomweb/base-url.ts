// The service's root as its clients call it: what links in answers begin with.
//
// Invariants: a public address that was set stands before everything; what a proxy says of the client's address (RFC 7239, and the X-Forwarded- headers of old) counts only
// from proxies that are named; nothing that is no plain host, scheme or path gets into a link.

import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { ArchiveError } from '../../base/index.ts';

export type BaseUrlOptions = {
  /** The server as everyone calls it, such as `https://pacs.example/stele`. */
  readonly publicUrl?: string | undefined;
  /** Addresses of proxies, single or as `10.0.0.0/8`. */
  readonly proxies?: readonly string[] | undefined;
};

type Root = {
  readonly scheme?: string | undefined;
  readonly host?: string | undefined;
  readonly path?: string | undefined;
};

const hostForm = /^[A-Za-z0-9.\-:[\]]{1,255}$/;
const pathForm = /^(?:\/[A-Za-z0-9._~-]{1,255}){1,16}$/;

export class BaseUrl {
  readonly #publicUrl: string | undefined;
  readonly #proxies = new BlockList();

  /** CONFIG_INVALID when a proxy is no address. */
  constructor({ publicUrl, proxies = [] }: BaseUrlOptions) {
    this.#publicUrl = publicUrl?.replace(/\/+$/, '');
    for (const proxy of proxies) addTo(this.#proxies, proxy);
  }

  /** Without a slash at its end. */
  of(request: IncomingMessage): string {
    if (this.#publicUrl !== undefined) return this.#publicUrl;
    const { headers, socket } = request;
    const forwarded = this.#trusts(socket.remoteAddress) ? forwardedRoot(headers) : {};
    const scheme = forwarded.scheme ?? ('encrypted' in socket ? 'https' : 'http');
    return `${scheme}://${forwarded.host ?? hostOf(request)}${forwarded.path ?? ''}`;
  }

  #trusts(address: string | undefined): boolean {
    if (address === undefined) return false;
    const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
    const family = isIP(plain);
    return family !== 0 && this.#proxies.check(plain, family === 4 ? 'ipv4' : 'ipv6');
  }
}

function addTo(list: BlockList, proxy: string): void {
  const [address = '', prefix, ...more] = proxy.split('/');
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (family === 0 || more.length > 0 || !(length <= bits))
    throw new ArchiveError('CONFIG_INVALID', 'a trusted proxy is an address such as 10.0.0.5 or 10.0.0.0/8');
  list.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6');
}

function forwardedRoot(headers: IncomingMessage['headers']): Root {
  // What the first proxy saw of the client stands first.
  const [first = ''] = headers.forwarded?.split(',', 1) ?? [];
  const pairs = new Map(
    first.split(';').map((pair): [string, string] => {
      const equals = pair.indexOf('=');
      return [
        pair.slice(0, equals).trim().toLowerCase(),
        pair
          .slice(equals + 1)
          .trim()
          .replace(/^"(.*)"$/, '$1'),
      ];
    }),
  );
  const header = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === 'string' ? value.split(',', 1)[0]?.trim() : undefined;
  };
  const host = pairs.get('host') ?? withPort(header('x-forwarded-host'), header('x-forwarded-port'));
  const scheme = (pairs.get('proto') ?? header('x-forwarded-proto'))?.toLowerCase();
  const path = header('x-forwarded-prefix')?.replace(/\/+$/, '');
  return {
    scheme: scheme === 'http' || scheme === 'https' ? scheme : undefined,
    host: host !== undefined && hostForm.test(host) ? host : undefined,
    path: path !== undefined && pathForm.test(path) ? path : undefined,
  };
}

function withPort(host: string | undefined, port: string | undefined): string | undefined {
  const isTold = host !== undefined && port !== undefined && /^\d{1,5}$/.test(port) && !/:\d+$/.test(host);
  return isTold && port !== '80' && port !== '443' ? `${host}:${port}` : host;
}

/**
 * Some clients (dicomweb-client of Python) leave the port out of their Host; where they name the very address that they are connected to, nobody stands between, and the
 * port is ours.
 */
function hostOf({ headers, socket }: IncomingMessage): string {
  const { host = '' } = headers;
  if (!hostForm.test(host)) return 'localhost';
  const { localAddress = '', localPort = 0 } = socket;
  const isDirect = host === localAddress.replace(/^::ffff:/, '') || host === `[${localAddress}]`;
  const isUsual = localPort === ('encrypted' in socket ? 443 : 80);
  return `${host}${isDirect && !isUsual ? `:${localPort}` : ''}`;
}
