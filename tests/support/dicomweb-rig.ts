// An archive with DICOMweb on a free port of this machine, and a client of its tests: plain fetch, with the pieces of an answer taken apart.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Running, start } from '../../src/app/running.ts';
import { settingsOf } from '../../src/app/settings.ts';
import { systemClock, systemRandom, tenantId } from '../../src/base/index.ts';
import { encodeFileMeta } from '../../src/dicom/index.ts';
import { type DicomWebOptions, openDicomWeb } from '../../src/doors/dicomweb/index.ts';
import { ctImageStorage, explicitLittleEndian } from './made-instance.ts';
import { Stele } from './stele.ts';

const password = 'a password of the test';
export const authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;

export type WebHouse = {
  readonly running: Running;
  readonly root: string;
  readonly port: number;
  readonly faults: unknown[];
  readonly get: (path: string, headers?: Record<string, string>) => Promise<Response>;
  readonly post: (path: string, type: string, body: Uint8Array, headers?: Record<string, string>) => Promise<Response>;
  readonly store: (dataSet: Uint8Array, syntax?: string) => Promise<void>;
  readonly close: () => Promise<void>;
};

export async function openWebHouse(options: Partial<DicomWebOptions> = {}): Promise<WebHouse> {
  const stele = new Stele();
  const settings = settingsOf([{ workers: 1 }], stele.folder);
  const running = await start({ settings, create: true, say: () => undefined });
  await running.archive.accounts.setUser({ name: 'admin', password, role: 'admin', fresh: true });
  const faults: unknown[] = [];
  const door = openDicomWeb({
    archive: () => running.archive,
    prefix: '/dicom-web',
    clock: systemClock,
    random: systemRandom,
    onFault: (_what, error) => faults.push(error),
    ...options,
  });
  const server = createServer(door.answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const root = `http://127.0.0.1:${port}/dicom-web`;
  return {
    running,
    root,
    port,
    faults,
    get: (path, headers = {}) => fetch(`${root}${path}`, { headers: { authorization, ...headers } }),
    post: (path, type, body, headers = {}) =>
      fetch(`${root}${path}`, {
        method: 'POST',
        body: body as Uint8Array<ArrayBuffer>,
        headers: { authorization, 'content-type': type, ...headers },
      }),
    store: async (dataSet, syntax = explicitLittleEndian) => {
      await running.archive.instances.store({ tenant: tenantId(1), syntax }, inPieces(dataSet));
    },
    close: async () => {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
      await door.close();
      await running.close();
      stele.remove();
    },
  };
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

/** A DICOM file around a data set. */
export function fileOf(dataSet: Uint8Array, instance: string, syntax = explicitLittleEndian): Uint8Array {
  const meta = encodeFileMeta({
    sopClassUid: ctImageStorage as never,
    sopInstanceUid: instance as never,
    syntaxUid: syntax as never,
  });
  return Buffer.concat([meta, dataSet]);
}

export type Part = { readonly headers: Headers; readonly bytes: Buffer };

/** The parts of a multipart answer. */
export async function partsOf(response: Response): Promise<Part[]> {
  const boundary = /boundary="?([^";]+)/.exec(response.headers.get('content-type') ?? '')?.[1] ?? '';
  let rest = Buffer.from(await response.arrayBuffer());
  const mark = Buffer.from(`--${boundary}`);
  const parts: Part[] = [];
  rest = rest.subarray(rest.indexOf(mark) + mark.byteLength);
  while (rest.subarray(0, 2).toString() !== '--') {
    const headEnd = rest.indexOf('\r\n\r\n');
    const end = rest.indexOf(Buffer.concat([Buffer.from('\r\n'), mark]));
    const headers = new Headers();
    for (const line of rest.subarray(2, headEnd).toString().split('\r\n')) {
      const colon = line.indexOf(':');
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    parts.push({ headers, bytes: rest.subarray(headEnd + 4, end) });
    rest = rest.subarray(end + 2 + mark.byteLength);
  }
  return parts;
}

/** A multipart body of files. */
export function multipartOf(
  files: readonly Uint8Array[],
  partType = 'application/dicom',
): { readonly type: string; readonly body: Uint8Array } {
  const boundary = 'a-boundary-of-the-test';
  const pieces: Uint8Array[] = [];
  for (const file of files)
    pieces.push(Buffer.from(`--${boundary}\r\nContent-Type: ${partType}\r\n\r\n`), file, Buffer.from('\r\n'));
  pieces.push(Buffer.from(`--${boundary}--\r\n`));
  return { type: `multipart/related; type="application/dicom"; boundary=${boundary}`, body: Buffer.concat(pieces) };
}
