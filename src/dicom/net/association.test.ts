// Both roles against each other: messages in either direction, and the end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArchiveError, bytesEqual, concatBytes, isArchiveError } from '../../base/index.ts';
import type { Association } from './association.ts';
import { dimseStatus } from './dimse-status.ts';
import { cEcho, cFind, cGet, cMove, cStore } from './dimse-user.ts';
import { nAction, nCreate, nDelete, nEventReport, nGet, nSet } from './dimse-user-n.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { heldBytesMax } from './limits.ts';
import { providerRoles } from './plan-contexts.ts';
import { isPatterned, openTrial, patterned, proposals, startServer, trialClass } from './trial-association.ts';

type Handler = (message: IncomingMessage, association: Association) => Promise<void>;

const succeed: Handler = async (message) => {
  await message.data?.gather(1e9);
  await message.respond({ status: dimseStatus.success });
};

async function serving(handler: Handler, options: Parameters<typeof startServer>[1] = {}) {
  return startServer(async (association) => {
    for await (const message of association.messages()) await handler(message, association);
  }, options);
}

const instance = '1.2.3.4';

test('an echo is answered, and the association released', async () => {
  const trial = await serving(succeed);
  const association = await openTrial(trial);
  assert.deepEqual((await cEcho(association)).status, 0);
  assert.deepEqual((await cEcho(association)).status, 0);
  await association.release();
  assert.equal(await association.ended, undefined);
  await trial.close();
  assert.deepEqual([trial.ends, trial.faults, trial.refusals], [[undefined], [], []]);
});

test('what is known of the other side is there on both', async () => {
  const facts: unknown[] = [];
  const trial = await startServer(async (association) => {
    facts.push(association.facts);
    for await (const message of association.messages()) await message.respond({ status: 0 });
  });
  const association = await openTrial(trial, { pduBytesMax: 8192 });
  assert.equal(association.facts.peerImplementation.version, 'STELE_1');
  await association.release();
  await trial.close();
  const [{ role, calling, called, peerPduBytesMax, contexts }] = facts as [Association['facts']];
  assert.deepEqual([role, calling, called, peerPduBytesMax], ['acceptor', 'TRIAL', 'STELE', 8192]);
  assert.equal(contexts.size, Object.keys(trialClass).length);
  assert.equal(association.contextFor(trialClass.ct)?.transferSyntax, '1.2.840.10008.1.2.1');
  assert.equal(association.contextFor('1.2.3'), undefined);
});

test('objects of every length arrive as they were sent, whatever the peer takes at once, read piece by piece or into memory', async () => {
  const received: Uint8Array[] = [];
  let isCopying = false;
  const trial = await serving(async (message) => {
    assert.ok(message.data !== undefined);
    isCopying = !isCopying;
    const parts: Uint8Array[] = [];
    if (isCopying) {
      for (;;) {
        const target = new Uint8Array(777);
        const count = await message.data.read(target);
        if (count === 0) break;
        parts.push(target.subarray(0, count));
      }
    } else for await (const part of message.data) parts.push(part);
    received.push(concatBytes(parts));
    await message.respond({ status: 0 });
  });
  for (const pduBytesMax of [8, 4096, 16_382, 262_144, 0]) {
    const limited = await startServer(
      async (association) => {
        for await (const message of association.messages()) {
          const bytes = await message.data?.gather(1e9);
          received.push(bytes ?? new Uint8Array(0));
          await message.respond({ status: 0 });
        }
      },
      { pduBytesMax },
    );
    const association = await openTrial(limited);
    const capacity = (pduBytesMax === 0 ? 262_144 : pduBytesMax) - 6;
    const lengths =
      pduBytesMax === 8 ? [1, 2, 3, 20] : [1, 2, capacity - 1, capacity, capacity + 1, 2 * capacity, 300_001];
    for (const length of lengths) {
      const bytes = patterned(length);
      const outcome = await cStore(association, { sopClass: trialClass.ct, sopInstance: instance, data: bytes });
      assert.equal(outcome.status, 0);
      assert.ok(bytesEqual(received.pop() ?? bytes.subarray(1), bytes), `${length} bytes in PDUs of ${pduBytesMax}`);
    }
    await association.release();
    await limited.close();
  }
  const association = await openTrial(trial);
  for (const length of [1, 99, 65_536, 262_144, 3_000_000, 10_000_001]) {
    for (let twice = 0; twice < 2; twice += 1) {
      const bytes = patterned(length);
      await cStore(association, { sopClass: trialClass.ct, sopInstance: instance, data: bytes });
      assert.ok(bytesEqual(received.pop() ?? bytes.subarray(1), bytes), `${length} bytes`);
    }
  }
  await association.release();
  await trial.close();
});

test('a data set is sent from a stream of pieces of any length', async () => {
  let whole: Uint8Array | undefined;
  const trial = await serving(async (message) => {
    whole = await message.data?.gather(1e9);
    await message.respond({ status: 0 });
  });
  const association = await openTrial(trial);
  const bytes = patterned(1_000_003);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0, step = 1; at < bytes.byteLength; at += step, step = (step * 5 + 1) % 99_991) {
      yield bytes.subarray(at, at + step);
      yield new Uint8Array(0);
    }
  }
  await cStore(association, { sopClass: trialClass.ct, sopInstance: instance, data: pieces() });
  assert.ok(whole !== undefined && bytesEqual(whole, bytes));
  await association.release();
  await trial.close();
});

test('a data set without a byte is none', async () => {
  const seen: unknown[] = [];
  const trial = await serving(async (message) => {
    seen.push([message.command.hasDataSet, message.data]);
    await message.respond({ status: dimseStatus.missingAttribute }, new Uint8Array(0));
  });
  const association = await openTrial(trial);
  const outcome = await nSet(association, { sopClass: trialClass.commitment, sopInstance: instance, data: [] });
  assert.deepEqual([outcome.status, outcome.data], [dimseStatus.missingAttribute, undefined]);
  assert.deepEqual(seen, [[false, undefined]]);
  await association.release();
  await trial.close();
});

test('an answer may come before the data set was read, and the rest of that is passed over', async () => {
  const trial = await serving(async (message) => {
    await message.respond({ status: dimseStatus.outOfResources, errorComment: 'no room' });
  });
  const association = await openTrial(trial);
  for (let count = 0; count < 3; count += 1) {
    const outcome = await cStore(association, {
      sopClass: trialClass.ct,
      sopInstance: instance,
      data: patterned(3_000_000),
    });
    assert.deepEqual([outcome.status, outcome.command.errorComment], [0xa700, 'no room']);
  }
  await association.release();
  await trial.close();
  assert.deepEqual(trial.faults, []);
});

test('a source that cannot be read at all leaves the association as it was; one that breaks off ends it', async () => {
  const trial = await serving(succeed);
  const association = await openTrial(trial);
  const failure = new ArchiveError('RECORD_LOST', 'gone');
  async function* broken(after: number): AsyncGenerator<Uint8Array> {
    for (let count = 0; count < after; count += 1) yield patterned(300_000);
    throw failure;
  }
  const store = (after: number): Promise<unknown> =>
    cStore(association, { sopClass: trialClass.ct, sopInstance: instance, data: broken(after) });
  await assert.rejects(store(0), failure);
  assert.equal((await cEcho(association)).status, 0);
  await assert.rejects(store(2), failure);
  assert.equal(await association.ended, failure);
  await assert.rejects(cEcho(association), failure);
  await trial.ended();
  await trial.close();
  assert.ok(isArchiveError(trial.ends[0], 'DICOM_ABORTED'));
  assert.deepEqual(trial.faults, []);
});

test('matches stream, and the final answer is the value of the loop', async () => {
  const trial = await serving(async (message) => {
    assert.equal(message.kind, 'C-FIND');
    const wanted = Number(Buffer.from((await message.data?.gather(100)) ?? []).toString());
    for (let count = 0; count < wanted; count += 1) {
      await message.respond({ status: dimseStatus.pending }, Buffer.from(`match ${count}`));
    }
    await message.respond({ status: dimseStatus.success });
  });
  const association = await openTrial(trial);
  const matches = cFind(association, { sopClass: trialClass.find, identifier: Buffer.from('3000') });
  let count = 0;
  let step = await matches.next();
  for (; step.done !== true; step = await matches.next()) {
    assert.equal(Buffer.from(step.value.identifier).toString(), `match ${count}`);
    count += 1;
  }
  assert.equal(count, 3000);
  assert.equal(step.value.status, 0);
  await association.release();
  await trial.close();
});

/** Finds until it is cancelled. */
const endless: Handler = async (message) => {
  await message.data?.gather(100);
  while (message.cancelled === undefined) {
    await message.respond({ status: dimseStatus.pending }, Buffer.from('another'));
    await new Promise(setImmediate);
  }
  assert.equal(message.cancelled.code, 'DICOM_CANCELLED');
  assert.equal(message.signal.aborted, true);
  await message.respond({ status: dimseStatus.cancel });
};

test('who leaves the loop cancels the query, and the association can be used again', async () => {
  const trial = await serving((message, association) =>
    message.kind === 'C-FIND' ? endless(message, association) : succeed(message, association),
  );
  const association = await openTrial(trial);
  for (let round = 0; round < 3; round += 1) {
    let seen = 0;
    for await (const match of cFind(association, { sopClass: trialClass.find, identifier: Buffer.from('*') })) {
      assert.equal(match.status, dimseStatus.pending);
      seen += 1;
      if (seen === 200) break;
    }
    assert.equal((await cEcho(association)).status, 0);
  }
  await association.release();
  await trial.close();
  assert.deepEqual([trial.ends, trial.faults], [[undefined], []]);
});

test('a signal cancels a query, and its loop ends with the cancelled answer', async () => {
  const trial = await serving(endless);
  const association = await openTrial(trial);
  const abort = new AbortController();
  const identifier = Buffer.from('*');
  const matches = cFind(association, { sopClass: trialClass.find, identifier, signal: abort.signal });
  let step = await matches.next();
  abort.abort();
  while (step.done !== true) step = await matches.next();
  assert.equal(step.value.status, dimseStatus.cancel);
  await association.release();
  await trial.close();
});

test('a cancel reaches an operation that is sending a long data set', async () => {
  const cancelled = Promise.withResolvers<void>();
  const sending = Promise.withResolvers<void>();
  const trial = await serving(async (message) => {
    await message.data?.gather(100);
    message.signal.addEventListener('abort', () => cancelled.resolve());
    async function* long(): AsyncGenerator<Uint8Array> {
      for (let count = 0; count < 64; count += 1) yield patterned(65_536);
      sending.resolve();
      await cancelled.promise;
      yield patterned(10);
    }
    await message.respond({ status: dimseStatus.pending }, long());
    await message.respond({ status: dimseStatus.cancel });
  });
  const association = await openTrial(trial);
  const abort = new AbortController();
  const matches = cFind(association, {
    sopClass: trialClass.find,
    identifier: Buffer.from('*'),
    signal: abort.signal,
  });
  const first = matches.next();
  await sending.promise;
  abort.abort();
  assert.equal((await first).done, false);
  const last = await matches.next();
  assert.ok(last.done === true && last.value.status === dimseStatus.cancel);
  await association.release();
  await trial.close();
});

test('a move tells its progress, and names what failed', async () => {
  const trial = await serving(async (message) => {
    assert.equal(message.command.moveDestination, 'STORE HERE');
    await message.data?.gather(100);
    for (let done = 0; done < 3; done += 1) {
      await message.respond({
        status: dimseStatus.pending,
        counts: { remaining: 3 - done, completed: done, failed: 0, warning: 0 },
      });
    }
    const counts = { remaining: 0, completed: 2, failed: 1, warning: 0 };
    await message.respond({ status: dimseStatus.subOperationsFailed, counts }, Buffer.from('1.2.3'));
  });
  const association = await openTrial(trial);
  const identifier = Buffer.from('key');
  const progress = cMove(association, { sopClass: trialClass.move, identifier, destination: 'STORE HERE' });
  const seen: unknown[] = [];
  let step = await progress.next();
  for (; step.done !== true; step = await progress.next()) seen.push(step.value);
  assert.deepEqual(seen, [
    { remaining: 3, completed: 0, failed: 0, warning: 0 },
    { remaining: 2, completed: 1, failed: 0, warning: 0 },
    { remaining: 1, completed: 2, failed: 0, warning: 0 },
  ]);
  const { status, completed, failed, remaining, failedList } = step.value;
  assert.deepEqual([status, completed, failed, remaining], [0xb000, 2, 1, undefined]);
  assert.equal(Buffer.from(failedList ?? []).toString(), '1.2.3');
  await association.release();
  await trial.close();
});

/** Sends objects over the association that asks for them. */
const sendThree: Handler = async (message, association) => {
  await message.data?.gather(100);
  const statuses: number[] = [];
  for (let count = 0; count < 3 && message.cancelled === undefined; count += 1) {
    const data = patterned(700_000 + count);
    const outcome = await cStore(association, { sopClass: trialClass.ct, sopInstance: `1.2.${count}`, data });
    statuses.push(outcome.status);
    const counts = { remaining: 2 - count, completed: count + 1, failed: 0, warning: 0 };
    await message.respond({ status: dimseStatus.pending, counts });
  }
  const failed = statuses.filter((status) => status !== 0).length;
  const counts = { remaining: 0, completed: statuses.length - failed, failed, warning: 0 };
  const status = message.cancelled === undefined ? (failed > 0 ? 0xb000 : 0) : dimseStatus.cancel;
  await message.respond({ status, counts });
};

test('a get brings objects over the same association, where their class was proposed for it', async () => {
  const trial = await serving(sendThree);
  const association = await openTrial(trial, { roles: providerRoles([trialClass.ct]) });
  assert.equal(association.contextFor(trialClass.ct)?.isProvider, true);
  const stored: string[] = [];
  const retrieval = cGet(association, {
    sopClass: trialClass.get,
    identifier: Buffer.from('key'),
    onStore: async (message) => {
      const bytes = await message.data?.gather(1e9);
      stored.push(`${message.command.affectedSopInstance} ${bytes?.byteLength} ${bytes && isPatterned(bytes)}`);
      await message.respond({ status: dimseStatus.success });
    },
  });
  let progress = 0;
  let step = await retrieval.next();
  for (; step.done !== true; step = await retrieval.next()) progress += 1;
  assert.deepEqual(stored, ['1.2.0 700000 true', '1.2.1 700001 true', '1.2.2 700002 true']);
  assert.deepEqual([progress, step.value.status, step.value.completed], [3, 0, 3]);
  await association.release();
  await trial.close();
});

test('what a taker of objects throws cancels the get and comes out of it', async () => {
  const trial = await serving(sendThree);
  const association = await openTrial(trial, { roles: providerRoles([trialClass.ct]) });
  const failure = new ArchiveError('DISK_FULL', 'no room');
  const retrieval = cGet(association, {
    sopClass: trialClass.get,
    identifier: Buffer.from('key'),
    onStore: () => Promise.reject(failure),
  });
  await assert.rejects(async () => {
    for await (const _ of retrieval);
  }, failure);
  await association.release();
  await trial.close();
  assert.deepEqual(trial.faults, []);
});

test('the N-services carry their types, instances and data sets', async () => {
  const seen: unknown[] = [];
  const trial = await serving(async (message) => {
    const { kind, command } = message;
    const data = await message.data?.gather(100);
    const { eventType, actionType, attributes } = command;
    seen.push([kind, eventType ?? actionType ?? attributes, data && Buffer.from(data).toString()]);
    const answer = { status: dimseStatus.success, ...(kind === 'N-CREATE' ? { sopInstance: '1.2.9' } : {}) };
    await message.respond(answer, kind === 'N-GET' ? Buffer.from('attributes') : undefined);
  });
  const association = await openTrial(trial);
  const named = { sopClass: trialClass.commitment, sopInstance: instance };
  const data = Buffer.from('data');
  assert.equal(
    (await nEventReport(association, { ...named, eventType: 2, data })).command.affectedSopInstance,
    instance,
  );
  assert.equal((await nAction(association, { ...named, actionType: 1, data })).command.actionType, 1);
  const created = await nCreate(association, { sopClass: trialClass.commitment, data });
  assert.equal(created.command.affectedSopInstance, '1.2.9');
  assert.equal((await nSet(association, { ...named, data })).status, 0);
  const got = await nGet(association, { ...named, attributes: [0x0040_0252] });
  assert.equal(Buffer.from(got.data ?? []).toString(), 'attributes');
  assert.equal((await nDelete(association, named)).status, 0);
  await association.release();
  await trial.close();
  assert.deepEqual(seen, [
    ['N-EVENT-REPORT', 2, 'data'],
    ['N-ACTION', 1, 'data'],
    ['N-CREATE', undefined, 'data'],
    ['N-SET', undefined, 'data'],
    ['N-GET', [0x0040_0252], undefined],
    ['N-DELETE', undefined, undefined],
  ]);
});

test('a provider asks on the association that it serves, while the user goes on asking', async () => {
  const reported = Promise.withResolvers<number>();
  const trial = await serving(async (message, association) => {
    await succeed(message, association);
    if (message.kind !== 'N-ACTION') return;
    const named = { sopClass: trialClass.commitment, sopInstance: instance };
    void nEventReport(association, { ...named, eventType: 1, data: Buffer.from('all of it') }).then(({ status }) =>
      reported.resolve(status),
    );
  });
  const association = await openTrial(trial);
  const reports = (async () => {
    for await (const message of association.messages()) {
      assert.equal(message.kind, 'N-EVENT-REPORT');
      assert.equal(Buffer.from((await message.data?.gather(100)) ?? []).toString(), 'all of it');
      await message.respond({ status: dimseStatus.success });
    }
  })();
  await nAction(association, {
    sopClass: trialClass.commitment,
    sopInstance: instance,
    actionType: 1,
    data: patterned(9),
  });
  for (let count = 0; count < 20; count += 1) {
    const outcome = await cStore(association, {
      sopClass: trialClass.ct,
      sopInstance: instance,
      data: patterned(100_000),
    });
    assert.equal(outcome.status, 0);
  }
  assert.equal(await reported.promise, 0);
  await association.release();
  await reports;
  await trial.close();
  assert.deepEqual(trial.faults, []);
});

test('while nobody reads a data set its sender waits, and little of it is held', async () => {
  const mayRead = Promise.withResolvers<void>();
  let receivedBytes = 0;
  const trial = await serving(async (message) => {
    await mayRead.promise;
    for await (const part of message.data ?? []) receivedBytes += part.byteLength;
    await message.respond({ status: 0 });
  });
  const association = await openTrial(trial);
  let pulledBytes = 0;
  const wholeBytes = 64 * 1024 * 1024;
  const piece = patterned(65_536);
  const stuck = Promise.withResolvers<void>();
  let quietTurns = 0;
  async function* long(): AsyncGenerator<Uint8Array> {
    while (pulledBytes < wholeBytes) {
      pulledBytes += piece.byteLength;
      quietTurns = 0;
      yield piece;
    }
  }
  // Many turns of the loop without a pull: the sender waits.
  const watch = (): void => {
    quietTurns += 1;
    if (quietTurns > 2000) stuck.resolve();
    else setImmediate(watch);
  };
  setImmediate(watch);
  const sent = cStore(association, { sopClass: trialClass.ct, sopInstance: instance, data: long() });
  await stuck.promise;
  // Both ends hold at most their limits; the kernel's buffers of a loopback connection take some megabytes.
  assert.ok(pulledBytes < 16 * 1024 * 1024 + 2 * heldBytesMax, `${pulledBytes} bytes were taken`);
  mayRead.resolve();
  assert.equal((await sent).status, 0);
  assert.equal(receivedBytes, wholeBytes);
  await association.release();
  await trial.close();
});

test('fifty associations side by side', async () => {
  const trial = await serving(async (message) => {
    const bytes = await message.data?.gather(1e9);
    await message.respond({ status: bytes === undefined || isPatterned(bytes) ? 0 : dimseStatus.cannotUnderstand });
  });
  const work = async (index: number): Promise<void> => {
    const association = await openTrial(trial, { calling: `CALLER${index % 7}` });
    for (let count = 0; count < 5; count += 1) {
      const data = patterned(10_000 * index + count + 1);
      const outcome = await cStore(association, { sopClass: trialClass.ct, sopInstance: instance, data });
      assert.equal(outcome.status, 0);
    }
    await association.release();
  };
  await Promise.all(Array.from({ length: 50 }, (_, index) => work(index)));
  await trial.close();
  assert.deepEqual([trial.ends.filter((end) => end !== undefined), trial.faults], [[], []]);
});

test('a release is replied to when what was asked is answered', async () => {
  const mayAnswer = Promise.withResolvers<void>();
  const order: string[] = [];
  const trial = await serving(async (message) => {
    await mayAnswer.promise;
    order.push('answered');
    await message.respond({ status: 0 });
  });
  const association = await openTrial(trial);
  const echo = cEcho(association).then(() => order.push('echoed'));
  await new Promise(setImmediate);
  mayAnswer.resolve();
  await echo;
  await association.release();
  order.push('released');
  await trial.close();
  assert.deepEqual(order, ['answered', 'echoed', 'released']);
  assert.deepEqual(trial.ends, [undefined]);
});

test('an abort reaches both sides and everyone who waits', async () => {
  const begun = Promise.withResolvers<IncomingMessage>();
  const trial = await serving(async (message) => {
    begun.resolve(message);
    await message.data?.gather(100);
    await new Promise<void>((resolve) => message.signal.addEventListener('abort', () => resolve()));
    throw message.cancelled ?? new Error('nobody cancelled');
  });
  const association = await openTrial(trial);
  const echo = assert.rejects(cEcho(association), { code: 'DICOM_ABORTED' });
  const message = await begun.promise;
  association.abort();
  await trial.ended();
  await echo;
  await assert.rejects(cEcho(association), { code: 'DICOM_ABORTED' });
  await trial.close();
  assert.equal(message.cancelled?.code, 'DICOM_ABORTED');
  assert.ok(isArchiveError(trial.ends[0], 'DICOM_ABORTED'));
  assert.deepEqual(trial.faults, []);
});

test('a service for which no context was accepted is refused here', async () => {
  const trial = await serving(succeed);
  const association = await openTrial(trial, { contexts: proposals([trialClass.ct]) });
  await assert.rejects(cEcho(association), { code: 'DICOM_CONTEXT_REFUSED' });
  await association.release();
  await trial.close();
});

test('an identifier without end is refused within its limit', async () => {
  const trial = await serving(async (message) => {
    await assert.rejects(message.data?.gather(1_000_000) ?? Promise.resolve(), { code: 'LIMIT_EXCEEDED' });
    await message.respond({ status: dimseStatus.dataSetMismatch });
  });
  const association = await openTrial(trial);
  const outcome = await nAction(association, {
    sopClass: trialClass.commitment,
    sopInstance: instance,
    actionType: 1,
    data: patterned(5_000_000),
  });
  assert.equal(outcome.status, dimseStatus.dataSetMismatch);
  await association.release();
  await trial.close();
});
