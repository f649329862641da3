// Bodies taken from their socket: the same bytes as by the request's stream, and a connection that goes on as if nothing had been.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { BodyLane } from './body-lane.ts';
import { BodyReader, heldBytesMax } from './body-reader.ts';
import { ClientGone } from './http-problem.ts';

type Answer = (body: BodyReader, incoming: IncomingMessage, response: ServerResponse) => Promise<void>;

const hexOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const patterned = (count: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: count }, (_, at) => at * 7 + (at >> 9)));
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const servers: Server[] = [];
after(() => {
  agent.destroy();
  for (const server of servers) server.closeAllConnections();
});

/** Tells the digest of each body, how many memories it came in, and on which connection. */
const tellDigest: Answer = async (body, incoming, response) => {
  const hash = createHash('sha256');
  const memories = new Set<ArrayBufferLike>();
  for (let piece = await body.next(); piece !== undefined; piece = await body.next()) {
    hash.update(piece);
    memories.add(piece.buffer);
  }
  response.end(
    JSON.stringify({ digest: hash.digest('hex'), memories: memories.size, port: incoming.socket.remotePort }),
  );
};

async function serve(answer: Answer): Promise<number> {
  const server = createServer((incoming, response) => {
    void BodyReader.open(incoming).then((body) => answer(body, incoming, response));
  });
  const serving = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const adopted = BodyLane.adopt(socket);
    assert.notEqual(adopted, socket, 'this Node lets us read into memory of our own');
    for (const each of serving) Reflect.apply(each, server, [adopted]);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return (server.address() as AddressInfo).port;
}

type Told = { readonly digest: string; readonly memories: number; readonly port: number };

function send(port: number, body: Buffer, headers: Record<string, string | number>): Promise<Told> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, agent, method: 'POST', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve(JSON.parse(text) as Told));
    });
    sent.on('error', reject);
    if ('expect' in headers) sent.on('continue', () => sent.end(body));
    else sent.end(body);
  });
}

test('bodies of all kinds come whole over one connection, and large ones in memory that is used again', async () => {
  const port = await serve(tellDigest);
  const sizes = [0, 10, 70_000, 8 * 1024 * 1024, 100, 3 * 1024 * 1024 + 1];
  const ports = new Set<number>();
  for (const size of sizes) {
    const body = patterned(size);
    for (const headers of [
      { 'content-length': size },
      { 'transfer-encoding': 'chunked' },
      { 'content-length': size, expect: '100-continue' },
    ]) {
      const told = await send(port, body, headers);
      assert.equal(told.digest, hexOf(body));
      if ('content-length' in headers && size > 1024 * 1024) assert.ok(told.memories < 16, `${told.memories} memories`);
      ports.add(told.port);
    }
  }
  assert.equal(ports.size, 1);
});

test('requests that come behind one another in one write are told apart', async () => {
  const port = await serve(tellDigest);
  const bodies = [patterned(300_000), Buffer.from('little'), patterned(200_001), patterned(70_000)];
  const bytes = bodies.flatMap((body) => [
    Buffer.from(`POST / HTTP/1.1\r\nHost: here\r\nContent-Length: ${body.byteLength}\r\n\r\n`),
    body,
  ]);
  const socket = net.connect(port, '127.0.0.1');
  socket.write(Buffer.concat(bytes));
  let text = '';
  await new Promise<void>((resolve) => {
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      if (text.split('"digest"').length > bodies.length) resolve();
    });
  });
  socket.destroy();
  assert.deepEqual(
    [...text.matchAll(/"digest":"([0-9a-f]{64})"/g)].map((match) => match[1]),
    bodies.map(hexOf),
  );
});

test('a client that goes in the middle is told as gone', async () => {
  const gone = Promise.withResolvers<unknown>();
  const port = await serve(async (body) => {
    try {
      while ((await body.next()) !== undefined);
      gone.resolve(undefined);
    } catch (error) {
      gone.resolve(error);
    }
  });
  const socket = net.connect(port, '127.0.0.1');
  socket.write('POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 9000000\r\n\r\n');
  socket.write(patterned(2_000_000), () => socket.destroy());
  assert.ok((await gone.promise) instanceof ClientGone);
});

test('who does not read has no more than so much held, and gets the rest when it does', async () => {
  const body = patterned(12 * 1024 * 1024);
  const started = Promise.withResolvers<BodyReader>();
  const finish = Promise.withResolvers<void>();
  const port = await serve(async (reader, incoming, response) => {
    started.resolve(reader);
    await finish.promise;
    await tellDigest(reader, incoming, response);
  });
  const sent = send(port, body, { 'content-length': body.byteLength });
  const reader = await started.promise;
  // Until nothing more comes: the socket is paused then.
  for (let before = -1; before < reader.heldBytes || reader.heldBytes === 0; ) {
    before = reader.heldBytes;
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(reader.heldBytes <= heldBytesMax + 256 * 1024, `${reader.heldBytes} bytes held`);
  finish.resolve();
  assert.equal((await sent).digest, hexOf(body));
});

test('a body that nobody wants passes by, and the connection is good for the next', async () => {
  let isFirst = true;
  const port = await serve(async (body, incoming, response) => {
    if (!isFirst) return tellDigest(body, incoming, response);
    isFirst = false;
    await body.next();
    body.abandon();
    response.end(JSON.stringify({ digest: '', memories: 0, port: incoming.socket.remotePort }));
  });
  const first = await send(port, patterned(5_000_000), { 'content-length': 5_000_000 });
  const body = patterned(500_000);
  const second = await send(port, body, { 'content-length': body.byteLength });
  assert.equal(second.digest, hexOf(body));
  assert.equal(second.port, first.port);
});
