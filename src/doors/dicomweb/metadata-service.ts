// WADO-RS /metadata: the headers of instances as DICOM JSON.
//
// Invariants: the first bytes go out when the first headers are read; headers are read a few at a time and come in order; values that are not written in
// line say where they can be fetched. Where a series' headers come from is one function (`seriesMetadata`), so that another source can take its place.

import { type Archive, bulkPath, withBulkAt } from '../../archive/index.ts';
import { JsonWriter, transferSyntaxOf } from '../../dicom/index.ts';
import { answeredUnchanged, weakTagHeaders } from './conditional.ts';
import { type Exchange, type Instance, urlOf } from './exchange.ts';
import { findInstances, stampOf } from './found-instances.ts';
import { again, gzipBytesMin, gzipPieces, gzipped, takesGzip } from './json-reply.ts';
import { MetadataCache, type SeriesMetadata } from './metadata-cache.ts';
import { jsonTypeFor } from './model-forms.ts';
import type { Place } from './routes.ts';

/** Headers that are being read at once. */
const headersAheadMax = 16;
/** Headers are gathered into pieces of about this size; the first goes out alone. */
const pieceBytes = 64 * 1024;

type Series = { readonly instances: readonly Instance[]; readonly stamp: string; readonly name: string };

export async function answerMetadata(exchange: Exchange, place: Place, cache: MetadataCache): Promise<void> {
  const { request, reply, accepts, base, tenant } = exchange;
  const type = jsonTypeFor(accepts);
  const instances = await findInstances(exchange, place);
  const stamp = stampOf(instances, `metadata ${type} ${base}`);
  if (answeredUnchanged(request, reply, stamp)) return;
  const headers = { ...weakTagHeaders(stamp), 'content-type': type, vary: 'accept, accept-encoding' };
  // One instance is a part of its series: it neither comes from what is kept nor goes there.
  const all = place.instance === undefined ? seriesOf(instances, `${tenant} ${base}`) : undefined;
  const packs = takesGzip(request);
  const [only] = all ?? [];
  if (all?.length === 1 && only !== undefined) {
    const kept = cache.get(only.name, only.stamp);
    if (kept !== undefined && packs && kept.sizeBytes >= gzipBytesMin) {
      reply.send(200, { ...headers, 'content-encoding': 'gzip' }, await packedOf(only, kept, cache));
      return;
    }
  }
  const pieces = inArray(
    all === undefined
      ? [headersOf(exchange.archive, instances, base)]
      : all.map((each) => seriesMetadata(exchange, each, cache)),
  );
  // What cannot be read at all is an answer of its own, as long as none has begun.
  const first = await pieces.next();
  if (!reply.begin(200, { ...headers, ...(packs ? { 'content-encoding': 'gzip' } : {}) })) {
    await pieces.return(undefined);
    return;
  }
  const whole = again([first], pieces);
  await reply.writeAll(packs ? gzipPieces(whole) : whole);
  reply.end();
}

/** Instances by their series, in the order of the first of each. */
function seriesOf(instances: readonly Instance[], scope: string): Series[] {
  const bySeries = new Map<string, Instance[]>();
  for (const instance of instances) {
    const name = `${scope} ${instance.studyUid} ${instance.seriesUid}`;
    const known = bySeries.get(name);
    if (known === undefined) bySeries.set(name, [instance]);
    else known.push(instance);
  }
  return [...bySeries].map(([name, each]) => ({ name, instances: each, stamp: stampOf(each, 'series') }));
}

async function packedOf(series: Series, kept: SeriesMetadata, cache: MetadataCache): Promise<Uint8Array> {
  if (kept.packed !== undefined) return kept.packed;
  const packed = await gzipped(Buffer.concat([openBracket, ...kept.pieces, closeBracket]));
  cache.put(series.name, series.stamp, { ...kept, packed });
  return packed;
}

/** All headers of a series as JSON with commas between: kept, or read and then kept. */
async function* seriesMetadata(
  { archive, base }: Exchange,
  series: Series,
  cache: MetadataCache,
): AsyncGenerator<Uint8Array> {
  const kept = cache.get(series.name, series.stamp);
  if (kept !== undefined) {
    yield* kept.pieces;
    return;
  }
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of headersOf(archive, series.instances, base)) {
    sizeBytes += piece.byteLength;
    if (MetadataCache.fits(sizeBytes)) pieces.push(piece);
    else pieces.length = 0;
    yield piece;
  }
  if (MetadataCache.fits(sizeBytes)) cache.put(series.name, series.stamp, { pieces, sizeBytes, packed: undefined });
}

/** Headers that a bundle keeps as text are passed on; the others are read, a few at a time. In order, with commas between. */
async function* headersOf(archive: Archive, instances: readonly Instance[], base: string): AsyncGenerator<Uint8Array> {
  const pieces = new Pieces();
  for (let from = 0; from < instances.length; ) {
    const first = isText(instances[from]);
    let to = from + 1;
    while (to < instances.length && isText(instances[to]) === first) to += 1;
    const run = instances.slice(from, to);
    for await (const json of first ? textsOf(archive, run, base) : readHeaders(archive, run, base)) {
      const full = pieces.add(json);
      if (full !== undefined) yield full;
    }
    from = to;
  }
  const rest = pieces.take();
  if (rest !== undefined) yield rest;
}

const isText = (instance: Instance | undefined): boolean =>
  instance?.text !== undefined && instance.amended === undefined;

/** Gathers JSON objects into pieces of about `pieceBytes`; the first goes out alone. */
class Pieces {
  #held: Uint8Array[] = [];
  #bytes = 0;
  #given = 0;

  add(json: readonly Uint8Array[]): Uint8Array | undefined {
    if (this.#given > 0) this.#held.push(comma);
    this.#held.push(...json);
    for (const each of json) this.#bytes += each.byteLength;
    this.#given += 1;
    return this.#given === 1 || this.#bytes >= pieceBytes ? this.take() : undefined;
  }

  take(): Uint8Array | undefined {
    if (this.#held.length === 0) return undefined;
    const piece = Buffer.concat(this.#held);
    this.#held = [];
    this.#bytes = 0;
    return piece;
  }
}

async function* readHeaders(
  archive: Archive,
  instances: readonly Instance[],
  base: string,
): AsyncGenerator<readonly Uint8Array[]> {
  const ahead: Promise<Uint8Array>[] = [];
  let next = 0;
  while (next < instances.length || ahead.length > 0) {
    while (next < instances.length && ahead.length < headersAheadMax) {
      const reading = headerJson(archive, instances[next] as Instance, base);
      // Whoever stops in the middle leaves it behind.
      reading.catch(() => undefined);
      ahead.push(reading);
      next += 1;
    }
    yield [await (ahead.shift() as Promise<Uint8Array>)];
  }
}

/** The texts of a run, with where long values can be fetched. */
async function* textsOf(
  archive: Archive,
  instances: readonly Instance[],
  base: string,
): AsyncGenerator<readonly Uint8Array[]> {
  let next = 0;
  for await (const text of archive.instances.headerTexts(instances)) {
    const instance = instances[next] as Instance;
    next += 1;
    if (text === undefined) yield [await headerJson(archive, instance, base)];
    else yield withPixels(withBulkAt(text, Buffer.from(bulkOf(instance, base))), instance, base);
  }
}

const comma = Buffer.from(',');
const openBracket = Buffer.from('[');
const closeBracket = Buffer.from(']');
const pixelDataTag = '7FE00010';
const parametricMap = '1.2.840.10008.5.1.4.1.1.30';

/** One header as a JSON object. */
export async function headerJson(archive: Archive, instance: Instance, base: string): Promise<Uint8Array> {
  const header = await archive.instances.header(instance);
  const bulk = bulkOf(instance, base);
  const writer = new JsonWriter({ bulkUri: (path) => bulk + bulkPath(path) });
  writer.write(header);
  return Buffer.concat(withPixels([writer.take()], instance, base));
}

function bulkOf(instance: Instance, base: string): string {
  const place = { study: instance.studyUid, series: instance.seriesUid, instance: instance.instanceUid };
  return `${urlOf(base, place)}/bulkdata/`;
}

/** A header's JSON and its pixels: it ends where they begin, so they are the last attribute. */
function withPixels(json: readonly Uint8Array[], instance: Instance, base: string): readonly Uint8Array[] {
  const last = json.at(-1);
  if (instance.headBytes >= instance.sizeBytes || last === undefined) return json;
  const { tag, vr } = pixelsOf(instance);
  const uri = JSON.stringify(`${bulkOf(instance, base)}${tag}`);
  const pixels = `"${tag}":{"vr":"${vr}","BulkDataURI":${uri}}}`;
  const isEmpty = json.length === 1 && last.byteLength <= 2;
  return [...json.slice(0, -1), last.subarray(0, -1), Buffer.from(isEmpty ? pixels : `,${pixels}`)];
}

/** A parametric map has its pixels in one of three attributes, by their width (PS3.3 C.7.6.3, C.7.6.24, C.7.6.25); everything else in one. */
function pixelsOf({ classUid, bitsAllocated, syntaxUid }: Instance): { readonly tag: string; readonly vr: string } {
  if (classUid === parametricMap && bitsAllocated === 32) return { tag: '7FE00008', vr: 'OF' };
  if (classUid === parametricMap && bitsAllocated === 64) return { tag: '7FE00009', vr: 'OD' };
  return { tag: pixelDataTag, vr: transferSyntaxOf(syntaxUid).encapsulated ? 'OB' : 'OW' };
}

async function* inArray(parts: readonly AsyncIterable<Uint8Array>[]): AsyncGenerator<Uint8Array> {
  let before = openBracket;
  for (const part of parts) {
    for await (const piece of part) {
      if (before.byteLength > 0) yield before;
      before = nothing;
      yield piece;
    }
    before = comma;
  }
  yield closeBracket;
}

const nothing = Buffer.alloc(0);
