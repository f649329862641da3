// WADO-RS for studies, series and instances: DICOM files, in a multipart, alone, or in a ZIP.
//
// Invariants: an answer that ends whole holds every instance that the path names, each byte for byte as it is stored where its syntax is taken and nothing amends it; one that
// cannot be read breaks the answer off. Small instances are read ahead, large ones while they are sent.

import type { Outgoing, OutgoingBytes } from '../../archive/index.ts';
import { ArchiveError, type Clock, type Random } from '../../base/index.ts';
import { encodeFileMeta } from '../../dicom/index.ts';
import { answeredUnchanged, sendBytes, tagHeaders, weakTagHeaders } from './conditional.ts';
import { type Exchange, type Instance, urlOf } from './exchange.ts';
import { findInstances, stampOf } from './found-instances.ts';
import { MultipartWriter } from './multipart-writer.ts';
import { checkSyntaxes, takesOf, type Wanted, wantedForm } from './retrieve-forms.ts';
import type { Place } from './routes.ts';
import { ZipWriter } from './zip-writer.ts';

const dicomType = 'application/dicom';

export type RetrieveParts = { readonly random: Random; readonly clock: Clock };

export async function answerRetrieve(exchange: Exchange, place: Place, parts: RetrieveParts): Promise<void> {
  const { request, reply, accepts } = exchange;
  const wanted = wantedForm(accepts, place.instance !== undefined);
  const instances = await findInstances(exchange, place);
  checkSyntaxes(instances, wanted);
  const stamp = stampOf(instances, `${wanted.form} ${wanted.syntaxes.join(' ')}`);
  // A boundary or a time is drawn for every answer, so only a file that stands alone is the same bytes again.
  if (wanted.form === 'single') return sendSingle(exchange, instances[0] as Instance, wanted);
  if (answeredUnchanged(request, reply, stamp)) return;
  const batches = exchange.archive.instances.outgoing(instances, (each) => takesOf(each, wanted));
  if (wanted.form === 'zip') await sendZip(exchange, batches, { stamp, nowMs: parts.clock.nowMs() });
  else await sendMultipart(exchange, batches, { stamp, random: parts.random });
}

/** A file's bytes before its data set. */
function fileHead(instance: Instance, syntax: string): Uint8Array {
  return encodeFileMeta({
    sopClassUid: instance.classUid as never,
    sopInstanceUid: instance.instanceUid as never,
    syntaxUid: syntax as never,
  });
}

async function sendMultipart(
  { reply, base }: Exchange,
  batches: AsyncIterable<readonly Outgoing<Instance>[]>,
  { stamp, random }: { readonly stamp: string; readonly random: Random },
): Promise<void> {
  const writer = new MultipartWriter(reply, random);
  const headOf = (outgoing: Outgoing<Instance>): Uint8Array => {
    const { instance } = outgoing;
    const { syntax, sizeBytes } = opened(outgoing);
    const head = fileHead(instance, syntax);
    const place = { study: instance.studyUid, series: instance.seriesUid, instance: instance.instanceUid };
    const headers = {
      'Content-Type': `${dicomType}; transfer-syntax=${syntax}`,
      ...(sizeBytes === undefined ? {} : { 'Content-Length': String(head.byteLength + sizeBytes) }),
      'Content-Location': urlOf(base, place),
    };
    return writer.headOf(headers, head);
  };
  for await (const batch of batches) {
    // What the first batch cannot give is told before the answer has begun.
    let held: Uint8Array[] = [];
    for (const outgoing of batch) {
      held.push(headOf(outgoing));
      if (!reply.begun && !reply.begin(200, { ...weakTagHeaders(stamp), 'content-type': writer.typeOf(dicomType) }))
        return;
      const { pieces } = opened(outgoing);
      if (isThere(pieces)) held.push(...pieces);
      else {
        await reply.handOver(held);
        await reply.writeAll(pieces);
        held = [];
      }
    }
    await reply.handOver(held);
  }
  writer.end();
}

function isThere(pieces: OutgoingBytes['pieces']): pieces is readonly Uint8Array[] {
  return Array.isArray(pieces);
}

async function sendZip(
  { reply }: Exchange,
  batches: AsyncIterable<readonly Outgoing<Instance>[]>,
  { stamp, nowMs }: { readonly stamp: string; readonly nowMs: number },
): Promise<void> {
  const zip = new ZipWriter(nowMs);
  const headers = {
    ...weakTagHeaders(stamp),
    'content-type': 'application/zip',
    'content-disposition': 'attachment; filename="dicom.zip"',
  };
  for await (const batch of batches) {
    for (const outgoing of batch) {
      const { instance } = outgoing;
      const { syntax, pieces } = opened(outgoing);
      if (!reply.begun && !reply.begin(200, headers)) return;
      const name = [instance.studyUid, instance.seriesUid, `${instance.instanceUid}.dcm`].map(safeName).join('/');
      const file = zip.file(name, follows(fileHead(instance, syntax), pieces));
      if (isThere(pieces)) await reply.handOver(await gathered(file));
      else await reply.writeAll(file);
    }
  }
  for (const bytes of zip.end()) await reply.write(bytes);
  reply.end();
}

/** A file that stands alone. */
export async function sendSingle(exchange: Exchange, instance: Instance, wanted: Wanted): Promise<void> {
  const { request, reply, archive } = exchange;
  const output = await archive.instances.output(instance, takesOf(instance, wanted));
  const stamp = stampOf([instance], `single ${output.syntax}`);
  const headers = { 'content-type': `${dicomType}; transfer-syntax=${output.syntax}` };
  if (answeredUnchanged(request, reply, stamp)) return;
  const head = fileHead(instance, output.syntax);
  if (output.sizeBytes === undefined || output.syntax !== instance.syntaxUid || output.isCorrected) {
    if (!reply.begin(200, { ...headers, ...tagHeaders(stamp) })) return;
    await reply.writeAll(follows(head, output.pieces));
    reply.end();
    return;
  }
  const row = await archive.instances.object(instance);
  const headBytes = head.byteLength;
  await sendBytes(exchange, headers, {
    stamp,
    sizeBytes: headBytes + output.sizeBytes,
    read: (from, to) =>
      follows(
        head.subarray(Math.min(from, headBytes), Math.min(to, headBytes)),
        archive.instances.read(row, Math.max(0, from - headBytes), Math.max(0, to - headBytes)),
      ),
  });
}

function opened({ output, failure }: Outgoing<Instance>): NonNullable<Outgoing['output']> {
  // That it cannot be given as it was asked for is no fault of what is stored.
  if (failure?.code === 'DICOM_UNSUPPORTED' || failure?.code === 'DICOM_MALFORMED') throw failure;
  if (output === undefined)
    throw new ArchiveError('RECORD_CORRUPT', 'an instance of what was asked for cannot be read');
  return output;
}

async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const held: Uint8Array[] = [];
  for await (const piece of pieces) held.push(piece);
  return held;
}

async function* follows(first: Uint8Array, rest: OutgoingBytes['pieces']): AsyncGenerator<Uint8Array> {
  if (first.byteLength > 0) yield first;
  yield* rest;
}

function safeName(uid: string): string {
  return uid.replace(/[^A-Za-z0-9.-]/g, '_').replace(/^\.+/, '_');
}
