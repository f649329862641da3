import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BroadcastChannel } from 'node:worker_threads';
import {
  AssertionFault,
  type ErrorCode,
  emptyBytes,
  isArchiveError,
  SeededRandom,
  sha256,
  tenantId,
  utf8Bytes,
  writerId,
} from '../base/index.ts';
import { decodeHead, type Head, headSizeBytes } from '../format/index.ts';
import { type CipherNumber, cipherKeys, noCipherKeys, nonceSizeBytes } from './cipher.ts';
import type { CodecHint } from './codec.ts';
import { type KeyWalks, walkBytes, writeWalk } from './key-walk.ts';
import { openMany, withoutKey } from './open-many.ts';
import { CodecPool, inlineBytesMax } from './pool.ts';
import { type MakeJob, type OpenJob, openRecord, type RecordBytes } from './record-job.ts';
import { batchJobsMax } from './small-jobs.ts';

const random = new SeededRandom(8);
const groupKey = random.bytes(32);
const writer = writerId('0f'.repeat(16));
const fast: CodecHint = { kind: 'bytes', effort: 'fast' };
const best: CodecHint = { kind: 'bytes', effort: 'best' };
const text = utf8Bytes('PID|1||4711^^^HOSPITAL||DOE^JANE||19700101|F\r'.repeat(6000));

const shared = new CodecPool({ workers: 2 });
after(() => shared.close());

function makeJob(
  plain: Uint8Array,
  options: { hint?: CodecHint; cipher?: CipherNumber; sequence?: bigint } = {},
): MakeJob {
  const { hint = fast, cipher = 1, sequence = 1n } = options;
  return {
    fields: { kind: 1, group: { tenant: tenantId(1), year: 2026, group: 3n }, id: { writer, sequence }, hybrid: 99n },
    plain,
    hint,
    keys: cipherKeys(groupKey, cipher),
    nonce: random.bytes(nonceSizeBytes(cipher)),
  };
}

function headOf(made: RecordBytes): Head {
  const head = decodeHead(made.head);
  assert.ok(head !== undefined && head !== 'short');
  return head;
}

function opened(made: RecordBytes): Buffer {
  const head = headOf(made);
  assert.deepEqual(made.fields, {
    kind: head.kind,
    codec: head.codec,
    codecVersion: head.codecVersion,
    cipher: head.cipher,
    group: head.group,
    id: head.id,
    hybrid: head.hybrid,
    plainSizeBytes: head.plainSizeBytes,
    bodySizeBytes: head.bodySizeBytes,
    nonce: made.fields.nonce,
  });
  return Buffer.from(openRecord({ head, body: made.body, keys: cipherKeys(groupKey, head.cipher) }));
}

async function rejects(answer: unknown, code: ErrorCode): Promise<void> {
  await assert.rejects(Promise.resolve(answer), (error) => isArchiveError(error, code));
}

test('large records made by workers open to their plain bytes, by workers and without', async () => {
  const sizes = [inlineBytesMax.raw + 1, inlineBytesMax.open + 1, 1024 * 1024];
  for (const cipher of [0, 1, 2] as const) {
    for (const plain of [...sizes.map((size) => random.bytes(size)), text]) {
      for (const hint of [fast, best, { kind: 'raw' } as const]) {
        const made = await shared.make(makeJob(plain.slice(), { hint, cipher }));
        assert.deepEqual(opened(made), Buffer.from(plain));
        const head = headOf(made);
        const again = await shared.open({ head, body: made.body, keys: cipherKeys(groupKey, cipher) });
        assert.deepEqual(Buffer.from(again), Buffer.from(plain));
      }
    }
  }
});

test('a few small records are made at once; of many in one turn each gets its own result', async () => {
  const plains = Array.from({ length: batchJobsMax * 3 }, (_, index) => random.bytes(index * 11));
  const jobs = plains.map((plain, index) => makeJob(plain, { sequence: BigInt(index) }));
  const wrong = 80;
  jobs[wrong] = { ...(jobs[wrong] as MakeJob), nonce: emptyBytes };
  const answers = jobs.map((job) => shared.make(job));
  const promises = answers.map((answer) => Promise.resolve(answer));
  assert.ok(!(answers[0] instanceof Promise));
  assert.ok(answers.at(-1) instanceof Promise);
  const settled = await Promise.allSettled(promises);
  settled.forEach((each, index) => {
    if (index === wrong) {
      assert.ok(each.status === 'rejected' && each.reason instanceof AssertionFault);
      return;
    }
    assert.ok(each.status === 'fulfilled');
    assert.equal(each.value.fields.id.sequence, BigInt(index));
    assert.deepEqual(opened(each.value), Buffer.from(plains[index] as Uint8Array));
  });
});

test('plain bytes that fill their buffer are taken away, a part of a buffer stays as it was', async () => {
  const whole = random.bytes(200_000);
  await shared.make(makeJob(whole));
  assert.equal(whole.byteLength, 0);
  const buffer = random.bytes(300_000);
  const part = buffer.subarray(1000, 201_000);
  const before = Buffer.from(part);
  assert.deepEqual(opened(await shared.make(makeJob(part))), before);
  assert.deepEqual(Buffer.from(part), before);
});

test('a record is written where it was to be, from a slot that both sides see, small or large, by workers or at once', async () => {
  const { memory } = shared;
  assert.ok(memory !== undefined);
  const region = memory.takeRegion();
  const slot = memory.takeSlot();
  assert.ok(region !== undefined && slot !== undefined);
  const smalls = Array.from({ length: batchJobsMax * 3 }, () => random.bytes(200));
  for (const plain of [random.bytes(300_000), text, random.bytes(1_048_576), ...smalls]) {
    slot.set(plain);
    let asked = 0;
    const room: MakeJob['room'] = (spanBytes) => {
      asked += 1;
      region.fill(0xaa, 0, spanBytes);
      return { offset: region.byteOffset, length: spanBytes };
    };
    const made = await shared.make({ ...makeJob(slot.subarray(0, plain.byteLength)), room });
    assert.equal(asked, 1);
    assert.equal(made.head.buffer, memory.buffer);
    assert.equal(made.head.byteOffset, region.byteOffset);
    assert.equal(made.body.byteOffset, region.byteOffset + made.head.byteLength);
    assert.deepEqual(opened(made), Buffer.from(plain));
    const end = made.head.byteLength + made.body.byteLength;
    assert.ok(
      region.subarray(end, Math.ceil(end / 16) * 16).every((value) => value === 0),
      'zeros up to the next',
    );
    assert.deepEqual(Buffer.from(slot.subarray(0, plain.byteLength)), Buffer.from(plain), 'the slot stays as it was');
  }
  memory.giveSlot(slot);
  memory.giveRegion(region);
});

test('a record that waits behind others may be given another place, until a worker begins with it', async () => {
  const pool = new CodecPool({ workers: 1 });
  const memory = pool.memory;
  const regions = [memory?.takeRegion(), memory?.takeRegion()];
  const [first, second] = regions;
  assert.ok(first !== undefined && second !== undefined);
  const moves: ((to: { offset: number; length: number }) => boolean)[] = [];
  let end = 0;
  const plains = Array.from({ length: 2 }, () => random.bytes(900_000));
  const made = plains.map((plain) => {
    const room: MakeJob['room'] = (spanBytes, move) => {
      moves.push(move);
      end += spanBytes;
      return { offset: first.byteOffset + end - spanBytes, length: spanBytes };
    };
    return pool.make({ ...makeJob(plain.slice()), room });
  });
  const [, moveSecond] = moves;
  assert.ok(moveSecond !== undefined);
  const to = { offset: second.byteOffset + 4096, length: 900_160 };
  const early = [moveSecond({ ...to, offset: second.byteOffset }), moveSecond(to)];
  assert.deepEqual(early, [true, true], 'the one worker has the first to do');
  const [one, two] = [await made[0], await made[1]] as RecordBytes[];
  assert.ok(one !== undefined && two !== undefined);
  assert.equal(one.head.byteOffset, first.byteOffset);
  assert.equal(two.head.byteOffset, to.offset);
  assert.deepEqual(opened(one), Buffer.from(plains[0] as Uint8Array));
  assert.deepEqual(opened(two), Buffer.from(plains[1] as Uint8Array));
  await pool.close();
});

test('without a place a record from a slot comes in buffers of its own', async () => {
  const slot = shared.memory?.takeSlot();
  assert.ok(slot !== undefined);
  const plain = random.bytes(200_000);
  slot.set(plain);
  for (const cipher of [0, 1] as const) {
    const made = await shared.make({
      ...makeJob(slot.subarray(0, plain.byteLength), { cipher }),
      room: () => undefined,
    });
    assert.notEqual(made.body.buffer, slot.buffer);
    assert.deepEqual(opened(made), Buffer.from(plain));
  }
  shared.memory?.giveSlot(slot);
});

test('memory of WebAssembly, which cannot be moved, is copied', async () => {
  const memory = new Uint8Array(new WebAssembly.Memory({ initial: 2 }).buffer);
  memory.set(random.bytes(memory.byteLength));
  const made = await shared.make(makeJob(memory));
  assert.deepEqual(opened(made), Buffer.from(memory));
});

test('many records of one buffer are opened together; one that is rotten fails alone, one without a key is passed over', async () => {
  const plains = [random.bytes(300), text, random.bytes(0), random.bytes(5000), random.bytes(17)];
  const ciphers: CipherNumber[] = [1, 0, 2, 1, 1];
  const parts: Uint8Array[] = [];
  const places = new Uint32Array(plains.length * 2);
  let offset = 0;
  for (const [index, plain] of plains.entries()) {
    const made = await shared.make(makeJob(plain.slice(), { cipher: ciphers[index] as CipherNumber }));
    const sizeBytes = made.head.byteLength + made.body.byteLength;
    places.set([offset, sizeBytes], index * 2);
    parts.push(made.head, made.body, new Uint8Array(16 - (sizeBytes % 16)));
    offset += sizeBytes + 16 - (sizeBytes % 16);
  }
  const bytes = new Uint8Array(Buffer.concat(parts));
  const rotten = (places[6] as number) + 400;
  bytes[rotten] = (bytes[rotten] as number) ^ 1;
  const keys = [cipherKeys(groupKey, 0), cipherKeys(groupKey, 2)];
  // The key for cipher 1 is at the end of a walk.
  const walksTo = (): KeyWalks => {
    const walks = { bytes: new Uint8Array(walkBytes), ciphers: Uint8Array.of(1), steps: 0 };
    writeWalk(walks, 0, { key: groupKey, path: new Uint8Array(0) });
    return walks;
  };
  const job = { bytes, places, keys, keyOf: Uint32Array.of(2, 0, 1, 2, withoutKey) };
  const results = [openMany({ ...job, walks: walksTo() }), await shared.openMany({ ...job, walks: walksTo() })];
  for (const { plain, ends, failures } of results) {
    const found = plains.map((_, index) => Buffer.from(plain.subarray(index === 0 ? 0 : ends[index - 1], ends[index])));
    const expected = [plains[0], plains[1], plains[2], emptyBytes, emptyBytes];
    assert.deepEqual(
      found,
      expected.map((each) => Buffer.from(each as Uint8Array)),
    );
    assert.deepEqual(
      failures.map(({ index, code }) => ({ index, code })),
      [{ index: 3, code: 'RECORD_CORRUPT' }],
    );
  }
});

test('a digest of bytes anywhere leaves them as they are', async () => {
  const slot = shared.memory?.takeSlot();
  assert.ok(slot !== undefined);
  for (const bytes of [random.bytes(100), random.bytes(500_000), slot.subarray(0, 100), slot.subarray(4, 500_000)]) {
    bytes.set(random.bytes(bytes.byteLength));
    const before = Buffer.from(bytes);
    for (const patient of [false, true])
      assert.deepEqual(Buffer.from(await shared.digest(bytes, { patient })), Buffer.from(sha256(before)));
    assert.deepEqual(Buffer.from(bytes), before);
  }
  shared.memory?.giveSlot(slot);
});

test('what fails in a worker fails with the code it would have here', async () => {
  const made = await shared.make(makeJob(random.bytes(100_000)));
  const body = made.body.slice();
  body[70_000] = (body[70_000] as number) ^ 4;
  const keys = cipherKeys(groupKey, 1);
  await rejects(shared.open({ head: headOf(made), body, keys }), 'RECORD_CORRUPT');
  const otherKeys = cipherKeys(random.bytes(32), 1);
  await rejects(shared.open({ head: headOf(made), body: made.body, keys: otherKeys }), 'RECORD_CORRUPT');
});

test('beyond its limits the queue refuses, and closing refuses but ends what was taken', async () => {
  const pool = new CodecPool({ workers: 1, queueJobsMax: 4, queueBytesMax: 1_000_000 });
  const taken = Array.from({ length: 4 }, async () => pool.make(makeJob(random.bytes(100_000))));
  await rejects(pool.make(makeJob(random.bytes(100_000))), 'BUSY');
  await Promise.all(taken);
  const large = [pool.make(makeJob(random.bytes(600_000)))];
  await rejects(pool.make(makeJob(random.bytes(600_000))), 'BUSY');
  const smalls = Array.from({ length: 10 }, () => pool.make(makeJob(random.bytes(10))));
  const closed = pool.close();
  await rejects(pool.make(makeJob(random.bytes(100_000))), 'CLOSED');
  await closed;
  for (const answer of [...large, ...smalls]) assert.ok(opened(await answer).byteLength > 0);
  await pool.close();
});

/** A worker program of the test: JavaScript, since a data: URL has no ending that says otherwise. */
function program(body: string): URL {
  const source = `import { parentPort, BroadcastChannel } from 'node:worker_threads';
    import { existsSync, writeFileSync } from 'node:fs';
    const opened = (work) => ({ kind: 'opened', plain: work.body });
    parentPort.on('message', ({ id, works }) => { ${body} });`;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

/** A record of the test's programs, which hand its body back. */
function openJob(body: Uint8Array): OpenJob {
  const head = { bytes: new Uint8Array(headSizeBytes), codec: 0, plainSizeBytes: body.byteLength } as unknown as Head;
  return { head, body, keys: noCipherKeys };
}

test('a worker that dies is replaced; its work is done again where the bytes were copied, and fails where they were moved', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stele-pool-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const marker = join(folder, 'died');
  const dieOnce = `if (!existsSync(${JSON.stringify(marker)})) { writeFileSync(${JSON.stringify(marker)}, ''); process.exit(3); }
    parentPort.postMessage({ id, results: works.map(opened) });`;
  const pool = new CodecPool({ workers: 1, program: program(dieOnce) });
  const buffer = random.bytes(100_000);
  const answer = await pool.open(openJob(buffer.subarray(1, 99_000)));
  assert.ok(existsSync(marker));
  assert.deepEqual(Buffer.from(answer), Buffer.from(buffer.subarray(1, 99_000)));
  rmSync(marker);
  await rejects(pool.open(openJob(random.bytes(100_000))), 'INTERNAL');
  await pool.open(openJob(random.bytes(100_000)));
  await pool.close();
});

test('work that kills every worker fails after the second, and the pool goes on', async () => {
  const killing = `if (works[0].body[0] === 1) throw new Error('killed');
    parentPort.postMessage({ id, results: works.map(opened) });`;
  const pool = new CodecPool({ workers: 2, program: program(killing) });
  const deadly = new Uint8Array(100_000).fill(1).subarray(0, 99_000);
  await rejects(pool.open(openJob(deadly)), 'INTERNAL');
  const answer = await pool.open(openJob(new Uint8Array(100_000)));
  assert.equal(answer.byteLength, 100_000);
  await pool.close();
});

test('work with best effort has a worker of its own, and leaves all others to the rest', async () => {
  // Makes nothing until it is told to go; opens at once.
  const waiting = `if (works[0].kind === 'open') return void parentPort.postMessage({ id, results: works.map(opened) });
    const channel = new BroadcastChannel('go');
    const results = works.map(() => ({ kind: 'failed', failure: { code: 'CODEC_FAULT', message: 'as told' } }));
    channel.onmessage = () => { channel.close(); parentPort.postMessage({ id, results }); };
    channel.postMessage('ready');`;
  const pool = new CodecPool({ workers: 2, program: program(waiting) });
  const channel = new BroadcastChannel('go');
  const ready = Promise.withResolvers<void>();
  channel.onmessage = () => ready.resolve();
  const settling = [1, 2, 3].map(() => pool.make(makeJob(random.bytes(50_000), { hint: best })));
  await ready.promise;
  assert.equal((await pool.open(openJob(random.bytes(100_000)))).byteLength, 100_000);
  // Each goes when it is told, one after the other.
  channel.onmessage = () => channel.postMessage('go');
  channel.postMessage('go');
  for (const each of settling) await rejects(each, 'CODEC_FAULT');
  channel.close();
  await pool.close();
});

test('a pool that has nothing to do keeps no process alive', () => {
  const pool = JSON.stringify(new URL('./pool.ts', import.meta.url).href);
  const script = `const { CodecPool } = await import(${pool});
    const pool = new CodecPool({ workers: 1 });
    const slot = pool.memory.takeSlot();
    console.log((await pool.digest(slot, { patient: false })).byteLength);`;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 20_000 });
  assert.equal(run.stdout.trim(), '32', run.stderr);
  assert.equal(run.status, 0);
});
