import assert from 'node:assert/strict';
import net, { type Socket } from 'node:net';
import { test } from 'node:test';
import { bytesEqual, concatBytes } from '../../base/index.ts';
import type { Loan } from './pdu-reader.ts';
import { adoptSocket, ReceiveBuffers } from './receive-buffers.ts';
import { patterned } from './trial-association.ts';

/** Reads `bytes` through an adopted socket; `keep` says whether what was read is held until the end. */
async function receive(bytes: Uint8Array, keep: boolean): Promise<{ whole: Uint8Array; memories: number }> {
  const parts: Uint8Array[] = [];
  const memories = new Set<ArrayBufferLike>();
  const done = Promise.withResolvers<void>();
  const server = net.createServer({ pauseOnConnect: true }, (socket: Socket) => {
    const buffers = new ReceiveBuffers();
    const adopted = adoptSocket(socket, buffers);
    assert.ok(adopted !== undefined, 'this Node lets us read into memory of our own');
    buffers.attach({
      take: (chunk: Uint8Array, loan: Loan | undefined) => {
        parts.push(keep ? chunk : new Uint8Array(chunk));
        memories.add(chunk.buffer);
        if (!keep) loan?.release();
      },
      isMidMessage: true,
    });
    adopted.on('end', () => {
      buffers.close();
      done.resolve();
    });
    adopted.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  client.end(bytes);
  await done.promise;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return { whole: concatBytes(parts), memories: memories.size };
}

test('the sockets of a server are read into memory that is used again', async () => {
  const bytes = patterned(8 * 1024 * 1024);
  const { whole, memories } = await receive(bytes, false);
  assert.ok(bytesEqual(whole, bytes));
  assert.ok(memories <= 3, `${memories} slabs for 8 MiB`);
});

test('memory that somebody still holds is not used again', async () => {
  const bytes = patterned(8 * 1024 * 1024);
  const { whole, memories } = await receive(bytes, true);
  assert.ok(bytesEqual(whole, bytes));
  assert.ok(memories >= 16, `${memories} slabs for 8 MiB`);
});
