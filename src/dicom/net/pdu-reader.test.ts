import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, hexOf, isArchiveError } from '../../base/index.ts';
import { controlPduBytesMax } from './limits.ts';
import { encodeAbort, encodeReleaseRequest, fragmentHeadBytes, pduHeadBytes, pduType, writeDataHead } from './pdu.ts';
import { type Loan, PduReader } from './pdu-reader.ts';

/** A P-DATA-TF with one or several fragments. */
function dataPdu(fragments: readonly { contextId: number; flags: number; bytes: Uint8Array }[]): Uint8Array {
  const parts = fragments.map(({ contextId, flags, bytes }) => {
    const part = new Uint8Array(pduHeadBytes + fragmentHeadBytes + bytes.byteLength);
    writeDataHead(part, 0, { contextId, flags, count: bytes.byteLength });
    part.set(bytes, pduHeadBytes + fragmentHeadBytes);
    return part.subarray(pduHeadBytes);
  });
  return pdu(pduType.data, concatBytes(parts));
}

function pdu(type: number, body: Uint8Array, length = body.byteLength): Uint8Array {
  const head = Buffer.from([type, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(length, 2);
  return concatBytes([head, body]);
}

/** What a stream says, with pieces of one fragment put together. */
function readAll(chunks: Iterable<Uint8Array>): string[] {
  const reader = new PduReader();
  const lines: string[] = [];
  let open = '';
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let read = reader.next(); read !== undefined; read = reader.next()) {
      if (read.kind === 'pdu') {
        lines.push(`${read.type} ${hexOf(read.body)}`);
        continue;
      }
      const head = `${read.contextId} ${read.isCommand ? 'command' : 'data'}`;
      if (!open.startsWith(head)) {
        if (open !== '') lines.push(open);
        open = `${head} `;
      }
      open += hexOf(read.bytes);
      if (read.isLast) {
        lines.push(`${open} last`);
        open = '';
      }
    }
  }
  if (open !== '') lines.push(open);
  return lines;
}

const fragment = fc.record({
  contextId: fc.constantFrom(1, 3, 255),
  flags: fc.nat(3),
  bytes: fc.uint8Array({ maxLength: 30 }),
});
const pdus = fc.oneof(
  fc.array(fragment, { minLength: 1, maxLength: 4 }).map(dataPdu),
  fc.uint8Array({ maxLength: 6000, minLength: 0 }).map((body) => pdu(pduType.associateRequest, body)),
  fc.constant(encodeReleaseRequest()),
  fc.constant(encodeAbort({ source: 'user' })),
);

function* cut(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  let at = 0;
  for (let index = 0; at < bytes.byteLength; index += 1) {
    const size = sizes[index % sizes.length] as number;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

test('every way of cutting a stream into chunks gives the same', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(pdus, { maxLength: 6 }), sizes, (list, cuts) => {
      const stream = concatBytes(list);
      const whole = readAll([stream]);
      assert.deepEqual(readAll(cut(stream, cuts)), whole);
      assert.deepEqual(readAll(cut(stream, [1])), whole);
    }),
  );
});

test('each place to cut a stream in two gives the same', () => {
  const stream = concatBytes([
    dataPdu([{ contextId: 1, flags: 3, bytes: Buffer.from('command') }]),
    dataPdu([
      { contextId: 1, flags: 0, bytes: Buffer.from('one') },
      { contextId: 1, flags: 2, bytes: new Uint8Array(0) },
    ]),
    pdu(pduType.associateAccept, Buffer.alloc(20, 7)),
    encodeReleaseRequest(),
  ]);
  const whole = readAll([stream]);
  assert.deepEqual(whole.slice(0, 2), [
    `1 command ${hexOf(Buffer.from('command'))} last`,
    `1 data ${hexOf(Buffer.from('one'))} last`,
  ]);
  for (let at = 0; at <= stream.byteLength; at += 1) {
    assert.deepEqual(readAll([stream.subarray(0, at), stream.subarray(at)]), whole);
  }
});

test('a piece is given on before its PDU is whole, as a view of its chunk', () => {
  const reader = new PduReader();
  const stream = dataPdu([{ contextId: 9, flags: 2, bytes: Buffer.alloc(1000, 1) }]);
  const chunk = stream.slice(0, 100);
  reader.push(chunk);
  const piece = reader.next();
  assert.ok(piece?.kind === 'piece');
  assert.equal(piece.bytes.buffer, chunk.buffer);
  assert.equal(piece.bytes.byteLength, 88);
  assert.equal(piece.isLast, false);
  assert.equal(reader.next(), undefined);
  assert.equal(reader.isBetweenPdus, false);
});

/** Why the reader refuses a stream, and with which reason it is aborted. */
function check(stream: Uint8Array, reason: number): void {
  assert.throws(
    () => readAll([stream]),
    (error) => {
      assert.ok(isArchiveError(error, 'DICOM_PROTOCOL'));
      assert.deepEqual((error as unknown as { abort: unknown }).abort, { source: 'provider', reason });
      return true;
    },
  );
}

test('what cannot be a PDU is refused when its head is there', () => {
  check(Buffer.from('GET / HTTP/1.1\r\n'), 1);
  check(Uint8Array.of(0x16, 3, 1, 2, 0, 1), 1);
  check(pdu(0, new Uint8Array(0)), 1);
  check(pdu(8, new Uint8Array(0)), 1);
  // Lengths that no body could have.
  check(pdu(pduType.associateRequest, new Uint8Array(0), 0xffff_ffff), 6);
  check(pdu(pduType.associateRequest, new Uint8Array(0), controlPduBytesMax + 1), 6);
  check(pdu(pduType.abort, new Uint8Array(0), 5), 6);
  check(pdu(pduType.releaseRequest, new Uint8Array(0), 0), 6);
  check(pdu(pduType.data, new Uint8Array(0), 0), 6);
  check(pdu(pduType.data, new Uint8Array(0), 5), 6);
});

test('fragments that do not fill their PDU are refused', () => {
  check(pdu(pduType.data, Uint8Array.of(0, 0, 0, 1, 1, 3)), 6);
  check(pdu(pduType.data, Uint8Array.of(0, 0, 0, 3, 1, 3)), 6);
  check(pdu(pduType.data, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 3)), 6);
  check(pdu(pduType.data, Uint8Array.of(0, 0, 0, 2, 1, 2, 0, 0, 0)), 6);
});

test('a PDU of four gigabytes is read as it comes', () => {
  const reader = new PduReader();
  const head = Buffer.from([4, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfb, 1, 0]);
  reader.push(head);
  assert.equal(reader.next(), undefined);
  reader.push(new Uint8Array(64));
  const piece = reader.next();
  assert.ok(piece?.kind === 'piece' && piece.bytes.byteLength === 64 && !piece.isLast);
});

test('what an unfinished PDU keeps grows with what has come of it', () => {
  const reader = new PduReader();
  reader.push(pdu(pduType.associateRequest, new Uint8Array(10), controlPduBytesMax));
  assert.equal(reader.next(), undefined);
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 1000; count += 1) {
    const other = new PduReader();
    other.push(pdu(pduType.associateRequest, new Uint8Array(10), controlPduBytesMax));
    assert.equal(other.next(), undefined);
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 20e6);
});

test('random bytes are PDUs or a protocol error, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(7), (noise, type) => {
      const stream = noise.slice();
      if (stream.byteLength > 0) stream[0] = type;
      try {
        readAll(cut(stream, [3, 1, 17]));
      } catch (error) {
        assert.ok(isArchiveError(error, 'DICOM_PROTOCOL'));
      }
    }),
  );
});

test('the loan of a chunk is released when the chunk is read and its pieces are', () => {
  let holders = 1;
  const loan: Loan = {
    hold: () => {
      holders += 1;
    },
    release: () => {
      holders -= 1;
    },
  };
  const reader = new PduReader();
  reader.push(
    dataPdu([
      { contextId: 1, flags: 0, bytes: Buffer.alloc(10) },
      { contextId: 1, flags: 2, bytes: Buffer.alloc(5) },
    ]),
    loan,
  );
  const first = reader.next();
  const second = reader.next();
  assert.equal(reader.next(), undefined);
  assert.equal(holders, 2);
  for (const piece of [first, second]) if (piece?.kind === 'piece') piece.loan?.release();
  assert.equal(holders, 0);
});
