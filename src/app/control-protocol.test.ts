import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { SeededRandom } from '../base/index.ts';
import { LineSocket, type ToClient, type ToServer } from './control-protocol.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'stele-lines-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

type Pair = { readonly near: net.Socket; readonly far: net.Socket; readonly close: () => void };

async function pair(name: string): Promise<Pair> {
  const file = path.join(folder, name);
  const server = net.createServer();
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(file, resolve));
  const near = net.connect(file);
  const far = await accepted;
  const close = (): void => {
    near.destroy();
    far.destroy();
    server.close();
  };
  return { near, far, close };
}

test('lines and bytes arrive as they were sent, however they are cut on the way', async () => {
  const random = new SeededRandom(7);
  const { near, far, close } = await pair('cut');
  // What is sent is taken from the far end, cut anew, and given to a reader.
  const sender = new LineSocket<ToServer, ToClient>(near);
  const cut = new net.Socket();
  const reader = new LineSocket<ToClient, ToServer>(cut);
  far.on('data', (data: Buffer) => {
    for (let from = 0; from < data.byteLength; ) {
      const to = from + 1 + random.below(700);
      cut.emit('data', data.subarray(from, to));
      from = to;
    }
  });
  far.on('end', () => cut.emit('close', false));
  const sent: string[] = [];
  for (let turn = 0; turn < 200; turn += 1) {
    if (random.below(2) === 0) {
      const line = `${turn} ${'ü\n'.repeat(random.below(50))}`;
      sent.push(line);
      void sender.send({ type: 'out', line });
    } else {
      const bytes = random.bytes(random.below(5000));
      sent.push(Buffer.from(bytes).toString('hex'));
      void sender.sendBytes(bytes);
    }
  }
  sender.close();
  const found: string[] = [];
  let hex: string | undefined;
  for (let message = await reader.next(); message !== undefined; message = await reader.next()) {
    if (message.type === 'bytes') hex = (hex ?? '') + Buffer.from(message.bytes).toString('hex');
    else {
      if (hex !== undefined) found.push(hex);
      hex = undefined;
      found.push(message.type === 'out' ? message.line : message.type);
    }
  }
  if (hex !== undefined) found.push(hex);
  assert.equal(found.join('|').replaceAll('|', ''), sent.join(''));
  close();
});

test('a line that is none ends the connection', async () => {
  for (const [index, text] of ['null\n', '5\n', 'garbage\n', '{"type":"bytes","sizeBytes":-1}\n'].entries()) {
    const { near, far, close } = await pair(`bad${index}`);
    const lines = new LineSocket<ToServer, ToClient>(far);
    near.write(text);
    assert.equal(await lines.next(), undefined, text);
    close();
  }
});

test('who sends to one that does not read waits, by one listener however much it sends', async () => {
  const { near, far, close } = await pair('slow');
  far.pause();
  const lines = new LineSocket<ToClient, ToServer>(near);
  const line: ToServer = { type: 'answer', text: 'x'.repeat(10_000) };
  let last: Promise<void> = Promise.resolve();
  while (!lines.isBehind) last = lines.send(line);
  for (let turn = 0; turn < 1000; turn += 1) assert.equal(lines.send(line), last, 'all wait for the same');
  assert.ok(near.listenerCount('drain') <= 2 && near.listenerCount('close') <= 4);
  far.resume();
  await last;
  assert.equal(lines.isBehind, false);
  close();
});
