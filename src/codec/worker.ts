// A worker of the pool: takes works, answers results. It holds no state between messages but its codecs' tables.
//
// Invariant: every work gets a result; what fails is a result too, so the thread ends only when it is told to or when the machine runs out of memory.

import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { ArchiveError, defined, sha256 } from '../base/index.ts';
import { decodeHead } from '../format/index.ts';
import { releaseBytes, releaseRead } from './buffers.ts';
import { passGate } from './gates.ts';
import { openContents } from './open-contents.ts';
import { openMany } from './open-many.ts';
import {
  type Carried,
  failureOf,
  type Into,
  Parcel,
  type Reply,
  type Request,
  type Result,
  type Work,
  type WorkerData,
} from './pool-messages.ts';
import { makeRecord, makeRecordInto, openRecord } from './record-job.ts';
import { gateWords } from './shared-memory.ts';

const port = defined(parentPort, 'this file runs as a worker');
const { memory, patient } = workerData as WorkerData;
const gates = memory === undefined ? undefined : gateWords(memory);

if (patient) stepBack();

/**
 * Lets all other threads go first: of two cores that three of them want, this one then has a fifteenth of one, and all of it when they rest. Linux takes
 * the id of a thread where one of a process is asked for; elsewhere the thread stays as it is.
 */
function stepBack(): void {
  if (process.platform !== 'linux') return;
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // No /proc, or a system that forbids it: settling then takes its share like anyone else.
  }
}

function bytesOf(carried: Carried): Uint8Array {
  if (carried instanceof Uint8Array) return carried;
  return new Uint8Array(defined(memory, 'places are named where there is a memory'), carried.offset, carried.length);
}

/** Where a record goes that is begun now. */
function roomOf({ place, gate }: Into): Uint8Array {
  if (gate === undefined || gates === undefined) return bytesOf(place);
  return bytesOf({ ...place, offset: passGate(gates, gate, place.offset) });
}

function carryOut(work: Work, parcel: Parcel): () => Result {
  switch (work.kind) {
    case 'make': {
      const plain = bytesOf(work.plain);
      if (work.into !== undefined) {
        const { fields, head } = makeRecordInto({ ...work, plain }, roomOf(work.into));
        releaseBytes(plain);
        const { codec, codecVersion, bodySizeBytes } = fields;
        const headSizeBytes = head.byteLength;
        return () => ({ kind: 'placed', codec, codecVersion, headSizeBytes, bodySizeBytes });
      }
      const { fields, head, body } = makeRecord({ ...work, plain });
      if (body.buffer !== plain.buffer) releaseBytes(plain);
      const headSent = parcel.add(head);
      const bodySent = parcel.add(body, { spare: true });
      const { codec, codecVersion } = fields;
      return () => ({ kind: 'made', codec, codecVersion, head: headSent(), body: bodySent() });
    }
    case 'open': {
      const head = decodeHead(work.head);
      if (head === undefined || head === 'short')
        throw new ArchiveError('RECORD_CORRUPT', 'the head of a record is damaged');
      const body = bytesOf(work.body);
      const plain = openRecord({ head, body, keys: work.keys });
      if (plain.buffer !== body.buffer) releaseRead(body);
      const plainSent = parcel.add(plain, { spare: true });
      return () => ({ kind: 'opened', plain: plainSent() });
    }
    case 'open-many': {
      const { plain, ends, failures } = openMany(work);
      releaseBytes(work.bytes);
      const plainSent = parcel.add(plain, { spare: true });
      return () => ({ kind: 'opened-many', plain: plainSent(), ends, failures });
    }
    case 'open-contents': {
      const opened = parcel.add(openContents({ ...work, bytes: bytesOf(work.bytes), into: bytesOf(work.into) }));
      return () => ({ kind: 'opened-contents', opened: opened() });
    }
    case 'digest': {
      const digest = parcel.add(sha256(bytesOf(work.bytes)));
      return () => ({ kind: 'digested', digest: digest() });
    }
  }
}

port.on('message', (request: Request) => {
  const parcel = new Parcel();
  const sendings = request.works.map((work) => {
    try {
      return carryOut(work, parcel);
    } catch (error) {
      const failure = failureOf(error);
      return (): Result => ({ kind: 'failed', failure });
    }
  });
  const reply: Reply = { id: request.id, results: sendings.map((send) => send()) };
  port.postMessage(reply, parcel.transferList());
});
