// The pool: answers, errors that cross, room, turns, limits of time, workers that die, closing.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { syntheticFrame } from '../../../tests/support/synthetic-pixels.ts';
import { type ArchiveError, isArchiveError, ManualClock } from '../../base/index.ts';
import type { CodedFrame } from './decode-frame.ts';
import { encodeFrame } from './encode-frame.ts';
import { PixelPool, type PixelPoolOptions } from './pixel-pool.ts';
import { encodableSyntaxes as to } from './pixel-syntax.ts';

async function withPool(options: PixelPoolOptions, use: (pool: PixelPool) => Promise<void>): Promise<void> {
  const pool = new PixelPool(options);
  try {
    await use(pool);
  } finally {
    await pool.close();
  }
}

const plain = syntheticFrame({ columns: 200, rows: 150, bits: 12 });

function codedFrame(syntax: string): CodedFrame {
  const coded = encodeFrame(plain, syntax);
  assert.ok(coded !== undefined);
  return { syntax, ...coded };
}

/** Workers that take jobs and do with them what the text says; `port` is theirs. */
function program(text: string): URL {
  return new URL(
    `data:text/javascript,${encodeURIComponent(`import { parentPort as port } from 'node:worker_threads';\n${text}`)}`,
  );
}

const isCode =
  (code: ArchiveError['code']) =>
  (error: unknown): boolean =>
    isArchiveError(error, code);

test('work is done beside the main thread', async () => {
  await withPool({ workers: 2 }, async (pool) => {
    const decoded = await pool.decode(codedFrame(to.jpegLs));
    assert.deepEqual(decoded?.bytes, plain.bytes);
    const encoded = await pool.encode({ shape: plain.shape, bytes: plain.bytes.slice() }, to.rle);
    assert.deepEqual(encoded, encodeFrame(plain, to.rle));
    const transcoded = await pool.transcode(codedFrame(to.jpegLs), to.jpeg2000);
    assert.deepEqual(transcoded, encodeFrame(plain, to.jpeg2000));
    const picture = await pool.render(codedFrame(to.htj2k), { format: { kind: 'png' } });
    assert.equal(picture?.columns, 200);
    const thumbnail = await pool.thumbnail(codedFrame(to.rle));
    assert.equal(thumbnail?.columns, 128);
  });
});

test('what cannot be done is undefined, and errors keep their codes', async () => {
  await withPool({ workers: 1 }, async (pool) => {
    assert.equal(await pool.decode({ ...codedFrame(to.rle), syntax: '1.2.3' }), undefined);
    assert.equal(await pool.transcode(codedFrame(to.rle), '1.2.3'), undefined);
    const short = codedFrame(to.jpegLs);
    await assert.rejects(pool.decode({ ...short, bytes: short.bytes.slice(0, 300) }), isCode('DICOM_MALFORMED'));
    const large = { ...short, shape: { ...short.shape, rows: 65_535, columns: 65_535 } };
    await assert.rejects(pool.decode(large), isCode('LIMIT_EXCEEDED'));
    assert.notEqual(await pool.decode(codedFrame(to.rle)), undefined);
  });
});

test('bytes that fill their buffer are given up, others are copied', async () => {
  await withPool({ workers: 1 }, async (pool) => {
    const { shape } = plain;
    const bytes = new Uint8Array(plain.bytes.length + 5);
    bytes.set(plain.bytes, 5);
    await pool.encode({ shape, bytes: bytes.subarray(5) }, to.rle);
    assert.equal(bytes.length, plain.bytes.length + 5);
    const own = plain.bytes.slice();
    const done = pool.encode({ shape, bytes: own }, to.rle);
    await done;
    assert.equal(own.length, 0);
  });
});

test('many frames go through little room, each answered', async () => {
  await withPool({ workers: 2, queueBytesMax: 300_000 }, async (pool) => {
    const frame = codedFrame(to.jpegLs);
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, k) =>
        pool.decode({ ...frame, bytes: frame.bytes.slice() }, { canWait: k % 2 === 0 }),
      ),
    );
    for (const answer of answers) assert.deepEqual(answer?.bytes, plain.bytes);
  });
});

test('beyond the callers it may know of, a pool is busy', async () => {
  await withPool({ workers: 1, queueJobsMax: 2 }, async (pool) => {
    const frames = [codedFrame(to.rle), codedFrame(to.rle), codedFrame(to.rle)];
    const [first, second, third] = frames.map((frame) => pool.decode(frame));
    await assert.rejects(third as Promise<unknown>, isCode('BUSY'));
    await first;
    await second;
  });
});

test('what can wait leaves a worker to those who wait', async () => {
  // Workers that answer a render at once, and anything else never.
  const stubborn = program(
    `port.on('message', ({ id, job }) => { if (job.kind === 'render') port.postMessage({ id, result: undefined }); });`,
  );
  const clock = new ManualClock(0);
  await withPool({ workers: 3, program: stubborn, jobMsMax: 1000, clock }, async (pool) => {
    const background = Array.from({ length: 4 }, () => {
      return assert.rejects(pool.decode(codedFrame(to.rle), { canWait: true }), isCode('LIMIT_EXCEEDED'));
    });
    assert.equal(await pool.render(codedFrame(to.rle), { format: { kind: 'png' } }), undefined);
    assert.equal(await pool.render(codedFrame(to.rle), { format: { kind: 'png' } }), undefined);
    // Two at a time, for the third worker is not theirs.
    for (const pair of [background.slice(0, 2), background.slice(2)]) {
      clock.advance(1001);
      await Promise.all(pair);
    }
  });
});

test('a frame that takes too long costs its worker, and the next one gets another', async () => {
  const clock = new ManualClock(0);
  const slow = program(
    `port.on('message', ({ id, job }) => { if (job.kind === 'decode') for (;;); port.postMessage({ id, result: undefined }); });`,
  );
  await withPool({ workers: 1, program: slow, jobMsMax: 1000, clock }, async (pool) => {
    const stuck = pool.decode(codedFrame(to.rle));
    const refused = assert.rejects(stuck, isCode('LIMIT_EXCEEDED'));
    const next = pool.render(codedFrame(to.rle), { format: { kind: 'png' } });
    await Promise.resolve();
    clock.advance(1001);
    await refused;
    assert.equal(await next, undefined);
  });
});

test('a worker that dies fails its job alone', async () => {
  const mortal = program(
    `port.on('message', ({ id, job }) => { if (job.kind === 'decode') process.exit(3); port.postMessage({ id, result: undefined }); });`,
  );
  await withPool({ workers: 1, program: mortal }, async (pool) => {
    const dead = pool.decode(codedFrame(to.rle));
    const next = pool.render(codedFrame(to.rle), { format: { kind: 'png' } });
    await assert.rejects(dead, isCode('INTERNAL'));
    assert.equal(await next, undefined);
  });
});

test('a closing pool ends what it has and takes nothing more', async () => {
  const pool = new PixelPool({ workers: 1 });
  const last = pool.decode(codedFrame(to.rle));
  const closed = pool.close();
  await assert.rejects(pool.decode(codedFrame(to.rle)), isCode('CLOSED'));
  assert.deepEqual((await last)?.bytes, plain.bytes);
  await closed;
  await pool.close();
  await new PixelPool().close();
});

test('an idle pool keeps no process alive', async () => {
  const { spawn } = await import('node:child_process');
  const source = `
    import { PixelPool } from ${JSON.stringify(new URL('./pixel-pool.ts', import.meta.url).href)};
    const shape = { rows: 1, columns: 2, samplesPerPixel: 1, bitsAllocated: 8, bitsStored: 8, highBit: 7, pixelRepresentation: 0, photometricInterpretation: 'MONOCHROME2' };
    const done = await new PixelPool().decode({ syntax: '1.2.840.10008.1.2.1', shape, bytes: new Uint8Array(2) });
    if (done?.bytes.length !== 2) process.exit(1);
  `;
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', source],
    { stdio: 'inherit' },
  );
  const [code] = (await once(child, 'exit')) as [number];
  assert.equal(code, 0);
});
