// Peers that do not behave: broken order, broken bytes, silence, slowness, sudden death. Each gets the right A-ABORT or is left, and nothing falls.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesOfHex, concatBytes, isArchiveError, ManualClock } from '../../base/index.ts';
import { encodeAssociateAccept } from './associate-pdu.ts';
import type { Association } from './association.ts';
import { encodeCommandSet } from './command-set.ts';
import { dimseStatus } from './dimse-status.ts';
import { cEcho } from './dimse-user.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { encodeAbort, encodeReleaseReply, encodeReleaseRequest } from './pdu.ts';
import {
  associateRequest,
  commandPdu,
  contextIdOf,
  fragmentPdu,
  openTrial,
  patterned,
  RawPeer,
  startServer,
  trialClass,
  trialTimeouts,
} from './trial-association.ts';

const echoContext = contextIdOf(trialClass.verification);
const ctContext = contextIdOf(trialClass.ct);
const findContext = contextIdOf(trialClass.find);
const echo = { commandField: 0x30, hasDataSet: false, messageId: 1, affectedSopClass: trialClass.verification };
const store = {
  commandField: 1,
  hasDataSet: true,
  messageId: 2,
  affectedSopClass: trialClass.ct,
  affectedSopInstance: '1.2',
};
const find = { commandField: 0x20, hasDataSet: true, messageId: 3, affectedSopClass: trialClass.find };

async function succeed(association: Association): Promise<void> {
  for await (const message of association.messages()) {
    for await (const _ of message.data ?? []);
    await message.respond({ status: dimseStatus.success });
  }
}

const userAbort = '07000000000400000000';
const providerAbort = (reason: number): string => `0700000000040000020${reason}`;

/** What a peer that says `parts` on an open association is told, and how that association ends. */
async function check(parts: readonly Uint8Array[], answer: string, code = 'DICOM_PROTOCOL'): Promise<void> {
  const trial = await startServer(succeed);
  const peer = await RawPeer.connect(trial);
  await peer.associate();
  peer.send(...parts);
  assert.equal(await peer.hex(), answer);
  await trial.ended();
  assert.ok(isArchiveError(trial.ends[0]) && trial.ends[0].code === code, String(trial.ends[0]));
  assert.deepEqual(trial.faults, []);
  peer.close();
  await trial.close();
}

test('a PDU that is not expected on an open association is answered with an abort that says so', async () => {
  await check([associateRequest()], providerAbort(2));
  await check([encodeReleaseReply()], providerAbort(2));
  await check([bytesOfHex('03000000000400010101')], providerAbort(2));
  await check([bytesOfHex('08000000000400000000')], providerAbort(1));
  await check([bytesOfHex('ff0000000004')], providerAbort(1));
  await check([bytesOfHex('040000000000')], providerAbort(6));
});

test('fragments that make no message are answered with an abort', async () => {
  const command = encodeCommandSet(store);
  await check([commandPdu(99, echo)], providerAbort(6));
  await check([fragmentPdu(echoContext, 'data', patterned(10))], userAbort);
  await check([commandPdu(ctContext, store), commandPdu(ctContext, echo)], userAbort);
  await check(
    [fragmentPdu(ctContext, 'command', command.subarray(0, 20), false), commandPdu(echoContext, echo)],
    providerAbort(6),
  );
  await check(
    [fragmentPdu(ctContext, 'command', command.subarray(0, 20), false), fragmentPdu(ctContext, 'data', command)],
    userAbort,
  );
  await check([fragmentPdu(ctContext, 'command', command.subarray(0, 21))], userAbort);
  await check([commandPdu(ctContext, store), fragmentPdu(echoContext, 'data', patterned(4))], providerAbort(6));
});

test('commands that cannot be gone on with are answered with an abort', async () => {
  await check([commandPdu(echoContext, { ...echo, messageId: undefined })], userAbort);
  await check([commandPdu(echoContext, { ...echo, commandField: 0x0777 })], userAbort);
  await check(
    [commandPdu(echoContext, { ...echo, commandField: 0x8030, messageIdRespondedTo: 1, status: 0 })],
    userAbort,
  );
  const endless = Array.from({ length: 80 }, () => fragmentPdu(ctContext, 'command', new Uint8Array(1000), false));
  await check(endless, userAbort);
});

test('two requests under way with one id are answered with an abort', async () => {
  const trial = await startServer(async (association) => {
    for await (const _ of association.messages());
  });
  const peer = await RawPeer.connect(trial);
  await peer.associate();
  peer.send(commandPdu(echoContext, echo), commandPdu(echoContext, echo));
  assert.equal(await peer.hex(), userAbort);
  peer.close();
  await trial.close();
});

test('an abort of the peer ends the association without a word', async () => {
  await check([encodeAbort({ source: 'user' })], 'end', 'DICOM_ABORTED');
  await check([encodeAbort({ source: 'provider', reason: 6 })], 'end', 'DICOM_ABORTED');
});

test('a release in the middle of a message is answered with an abort', async () => {
  await check([commandPdu(ctContext, store), encodeReleaseRequest()], userAbort);
});

test('anything after a release request is answered with an abort', async () => {
  const trial = await startServer(async (association) => {
    for await (const _ of association.messages());
  });
  const peer = await RawPeer.connect(trial);
  await peer.associate();
  peer.send(commandPdu(echoContext, echo), encodeReleaseRequest(), commandPdu(echoContext, { ...echo, messageId: 2 }));
  assert.equal(await peer.hex(), providerAbort(2));
  peer.close();
  await trial.close();
});

test('whatever opens a connection but an A-ASSOCIATE-RQ is answered with an abort, and listed', async () => {
  const trial = await startServer(succeed);
  const table: [Uint8Array, string][] = [
    [commandPdu(1, echo), providerAbort(2)],
    [encodeReleaseRequest(), providerAbort(2)],
    [Buffer.from('GET / HTTP/1.1\r\n\r\n'), providerAbort(1)],
    [bytesOfHex('010000000004ffffffff'), providerAbort(6)],
    [bytesOfHex('0100ffffffff'), providerAbort(6)],
    [encodeAbort({ source: 'user' }), 'end'],
  ];
  for (const [bytes, answer] of table) {
    const peer = await RawPeer.connect(trial);
    peer.send(bytes);
    assert.equal(await peer.hex(), answer);
    peer.close();
  }
  const gone = await RawPeer.connect(trial);
  gone.socket.end();
  await once(gone.socket, 'close');
  await trial.close();
  assert.deepEqual(
    trial.refusals.map(({ why }) => why),
    ['protocol', 'protocol', 'protocol', 'protocol', 'protocol', 'ended', 'ended'],
  );
  assert.deepEqual(trial.faults, []);
});

test('a peer that takes no byte of a PDU is refused', async () => {
  const trial = await startServer(succeed);
  const peer = await RawPeer.connect(trial);
  peer.send(associateRequest(7));
  assert.equal(await peer.hex(), providerAbort(6));
  peer.close();
  await trial.close();
});

test('a peer that sends a byte at a time is served', async () => {
  const trial = await startServer(succeed);
  const peer = await RawPeer.connect(trial);
  const data = [fragmentPdu(ctContext, 'data', patterned(3000), false), fragmentPdu(ctContext, 'data', patterned(500))];
  const stream = concatBytes([
    commandPdu(echoContext, echo),
    commandPdu(ctContext, store),
    ...data,
    encodeReleaseRequest(),
  ]);
  await (async () => {
    for (const byte of associateRequest()) await sendByte(peer, byte);
  })();
  assert.equal((await peer.pdu())?.[0], 2);
  for (const byte of stream) await sendByte(peer, byte);
  const answers = [await peer.pdu(), await peer.pdu(), await peer.pdu()];
  assert.deepEqual(
    answers.map((pdu) => pdu?.[0]),
    [4, 4, 6],
  );
  peer.close();
  await trial.ended();
  await trial.close();
  assert.deepEqual([trial.ends, trial.faults], [[undefined], []]);
});

/** In a packet of its own, or nearly. */
function sendByte(peer: RawPeer, byte: number): Promise<void> {
  return new Promise((resolve, reject) => {
    peer.socket.write(Uint8Array.of(byte), (error) => (error ? reject(error) : setImmediate(resolve)));
  });
}

test('a peer that dies in the middle of a PDU ends its own association only, and nothing cut off looks whole', async () => {
  const seen: string[] = [];
  const trial = await startServer(async (association) => {
    for await (const message of association.messages()) {
      try {
        for await (const _ of message.data ?? []);
        seen.push('whole');
      } catch (error) {
        seen.push((error as { code: string }).code);
        throw error;
      }
      await message.respond({ status: 0 });
    }
  });
  const other = await openTrial(trial);
  for (const end of ['end', 'destroy', 'reset'] as const) {
    const peer = await RawPeer.connect(trial);
    await peer.associate();
    const head = fragmentPdu(ctContext, 'data', patterned(1_000_000));
    peer.send(commandPdu(ctContext, store), head.subarray(0, 600_000));
    await new Promise<void>((resolve) => peer.socket.write(head.subarray(600_000, 700_000), () => resolve()));
    if (end === 'end') peer.socket.end();
    else if (end === 'destroy') peer.socket.destroy();
    else peer.socket.resetAndDestroy();
  }
  await trial.ended(3);
  assert.deepEqual(seen, ['DICOM_ABORTED', 'DICOM_ABORTED', 'DICOM_ABORTED']);
  assert.equal((await cEcho(other)).status, 0);
  await other.release();
  await trial.close();
  assert.deepEqual(trial.faults, []);
});

test('a peer that never reads our answers makes us wait, not grow, and is left in time', async () => {
  const clock = new ManualClock(0);
  let sent = 0;
  let quietTurns = 0;
  const stuck = Promise.withResolvers<void>();
  const trial = await startServer(
    async (association) => {
      for await (const message of association.messages()) {
        await message.data?.gather(1000);
        for (;;) {
          await message.respond({ status: dimseStatus.pending }, patterned(10_000));
          sent += 10_000;
          quietTurns = 0;
        }
      }
    },
    { clock, timeouts: { ...trialTimeouts, sendMs: 1000 } },
  );
  const peer = await RawPeer.connect(trial);
  await peer.associate();
  peer.socket.pause();
  peer.send(commandPdu(findContext, find), fragmentPdu(findContext, 'data', patterned(10)));
  const watch = (): void => {
    quietTurns += 1;
    if (quietTurns > 2000) stuck.resolve();
    else setImmediate(watch);
  };
  setImmediate(watch);
  await stuck.promise;
  const held = sent;
  assert.ok(held < 16e6, `${held} bytes were sent to nobody`);
  clock.advance(1000);
  await trial.ended();
  assert.ok(isArchiveError(trial.ends[0], 'DICOM_TIMEOUT'));
  assert.equal(sent, held);
  peer.close();
  await trial.close();
  assert.deepEqual(trial.faults, []);
});

/** Lets events pass until something is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate);
}

test('each silence has its timer', async () => {
  const table: [string, Partial<typeof trialTimeouts>, (peer: RawPeer) => Promise<void>, number][] = [
    ['nothing after connecting', { associationMs: 500 }, async () => undefined, 0],
    ['half a request', { associationMs: 500 }, async (peer) => peer.send(associateRequest().subarray(0, 50)), 0],
    ['nothing on an open association', { idleMs: 500 }, (peer) => peer.associate(), 0],
    [
      'half a PDU',
      { stallMs: 500 },
      async (peer) => {
        await peer.associate();
        peer.send(Uint8Array.of(4, 0, 0));
      },
      0,
    ],
    [
      'a command without its data set',
      { stallMs: 500 },
      async (peer) => {
        await peer.associate();
        peer.send(commandPdu(ctContext, store));
      },
      1,
    ],
  ];
  for (const [what, timeouts, say, messages] of table) {
    const clock = new ManualClock(0);
    let begun = 0;
    let open = 0;
    const trial = await startServer(
      async (association) => {
        open += 1;
        for await (const message of association.messages()) {
          begun += 1;
          for await (const _ of message.data ?? []);
        }
      },
      { clock, timeouts: { ...trialTimeouts, ...timeouts } },
    );
    const peer = await RawPeer.connect(trial);
    await say(peer);
    await until(() => trial.server.counts.connections === 1 && begun === messages);
    // The bytes are on their way: give them turns of the loop to arrive.
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    clock.advance(499);
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    assert.equal(trial.ends.length + trial.refusals.length, 0, what);
    clock.advance(1);
    assert.equal(await peer.hex(), userAbort, what);
    const error = open > 0 ? (await trial.ended(), trial.ends[0]) : trial.refusals[0]?.error;
    assert.ok(isArchiveError(error, 'DICOM_TIMEOUT'), `${what}: ${String(error)}`);
    peer.close();
    await trial.close();
    assert.deepEqual(trial.faults, [], what);
  }
});

test('an answer that does not come ends the association in time, and pending ones extend it', async () => {
  const clock = new ManualClock(0);
  const asked = Promise.withResolvers<void>();
  const trial = await startServer(async (association) => {
    for await (const _ of association.messages()) asked.resolve();
  });
  const association = await openTrial(trial, { clock, timeouts: { ...trialTimeouts, responseMs: 1000 } });
  const echoed = assert.rejects(cEcho(association), { code: 'DICOM_TIMEOUT' });
  await asked.promise;
  clock.advance(1000);
  await echoed;
  await trial.ended();
  await trial.close();
});

test('a peer that does not hang up after its release is left by ARTIM', async () => {
  const clock = new ManualClock(0);
  const trial = await startServer(succeed, { clock, timeouts: { ...trialTimeouts, associationMs: 1000 } });
  const peer = await RawPeer.connect(trial);
  await peer.associate();
  peer.send(encodeReleaseRequest());
  assert.equal(await peer.hex(), '06000000000400000000');
  await trial.ended();
  assert.equal(trial.server.counts.connections, 1);
  clock.advance(1000);
  assert.equal(await peer.hex(), 'end');
  await trial.close();
});

test('a peer that has asked for the release is asked nothing more, and answered all the same', async () => {
  const taken = Promise.withResolvers<[Association, IncomingMessage]>();
  const trial = await startServer(async (association) => {
    for await (const message of association.messages()) taken.resolve([association, message]);
  });
  const peer = await RawPeer.connect(trial);
  await peer.associate();
  peer.send(commandPdu(echoContext, echo), encodeReleaseRequest());
  const [association, message] = await taken.promise;
  await until(() => !association.isOpen);
  await assert.rejects(cEcho(association), { code: 'DICOM_ABORTED' });
  await message.respond({ status: dimseStatus.success });
  assert.equal((await peer.pdu())?.[0], 4);
  assert.equal(await peer.hex(), '06000000000400000000');
  peer.close();
  await trial.ended();
  await trial.close();
  assert.deepEqual([trial.ends, trial.faults], [[undefined], []]);
});

test('when both sides ask for the release, both get it', async () => {
  const asked = Promise.withResolvers<Association>();
  const trial = await startServer(async (association) => {
    asked.resolve(association);
    await association.ended;
  });
  // Raw, as the requestor: asks, is asked, replies, and gets its reply last (PS3.8 Sta9 to 12).
  const peer = await RawPeer.connect(trial);
  await peer.associate();
  const released = asked.promise.then((association) => association.release());
  assert.equal(await peer.hex(), '05000000000400000000');
  peer.send(encodeReleaseRequest());
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  peer.send(encodeReleaseReply());
  assert.equal(await peer.hex(), '06000000000400000000');
  peer.close();
  await released;
  await trial.ended();
  await trial.close();
  assert.deepEqual(trial.ends, [undefined]);
});

test('both our sides releasing at once end cleanly', async () => {
  const asked = Promise.withResolvers<Association>();
  const trial = await startServer(async (association) => {
    asked.resolve(association);
    await association.ended;
  });
  const association = await openTrial(trial);
  await Promise.all([association.release(), asked.promise.then((other) => other.release())]);
  await trial.ended();
  await trial.close();
  assert.deepEqual([await association.ended, trial.ends], [undefined, [undefined]]);
});

test('a provider that answers noise is left, and whoever waits is told', async () => {
  const accept = encodeAssociateAccept({
    called: 'STELE',
    calling: 'TRIAL',
    applicationContext: '1.2.840.10008.3.1.1.1',
    contexts: [{ id: echoContext, result: 'accepted', transferSyntax: '1.2.840.10008.1.2.1' }],
    user: { pduBytesMax: 0, implementationClass: '1.2.3' },
  });
  const answered = { commandField: 0x8030, hasDataSet: false, messageIdRespondedTo: 1, status: 0xff00 };
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.constantFrom(
      commandPdu(echoContext, answered),
      commandPdu(echoContext, { ...answered, hasDataSet: true }),
      commandPdu(echoContext, { ...answered, messageIdRespondedTo: 2 }),
      commandPdu(echoContext, echo),
      encodeReleaseReply(),
      encodeAbort({ source: 'user' }),
    ),
    fc.uint8Array({ maxLength: 50 }).map((bytes) => fragmentPdu(echoContext, 'data', bytes)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 6 }), async (parts) => {
      const server = net.createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => {
          socket.write(accept);
          socket.once('data', () => socket.end(concatBytes(parts)));
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as net.AddressInfo;
      const association = await openTrial({ server: { address: { port } } as never });
      await assert.rejects(cEcho(association), (error) => isArchiveError(error) && error.code.startsWith('DICOM_'));
      assert.ok((await association.ended) !== undefined);
      server.close();
    }),
    { numRuns: 100 },
  );
});

test('noise on a connection or an open association ends it, whatever it is', async () => {
  const trial = await startServer(succeed);
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          fc.constantFrom(commandPdu(echoContext, echo), commandPdu(ctContext, store), encodeReleaseRequest()),
          fc.uint8Array({ maxLength: 50 }).map((bytes) => fragmentPdu(ctContext, 'data', bytes, false)),
          fc.uint8Array({ maxLength: 50 }).map((bytes) => fragmentPdu(ctContext, 'command', bytes)),
        ),
        { minLength: 1, maxLength: 6 },
      ),
      async (isOpen, parts) => {
        const peer = await RawPeer.connect(trial);
        if (isOpen) await peer.associate();
        peer.send(...parts);
        peer.socket.end();
        while ((await peer.pdu()) !== undefined);
        peer.close();
      },
    ),
    { numRuns: 150 },
  );
  const association = await openTrial(trial);
  assert.equal((await cEcho(association)).status, 0);
  await association.release();
  await trial.close();
  assert.deepEqual(trial.faults, []);
});
