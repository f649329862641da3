// STOW-RS of data sets in DICOM JSON, with their bulk data in parts of their own (PS3.18 10.5.2): made into data sets, then stored like any other.
//
// Invariants: a reference is answered by a part of the same request and by nothing else: nothing is fetched from anywhere; what one request may hold in memory is
// bounded, and so is how many are held at once; an instance that cannot be made fails alone, and is told by name.
// Left out on purpose: XML.

import { ArchiveError, Budget, concatBytes } from '../../base/index.ts';
import {
  bytesElement,
  DataSet,
  dataSetOfJson,
  encapsulateFrame,
  encapsulationEnd,
  encapsulationStart,
  encodeDataSet,
  explicitLittle,
  isPixelData,
  type TransferSyntax,
  transferSyntaxOf,
} from '../../dicom/index.ts';
import { BodyReader } from './body-reader.ts';
import type { Exchange } from './exchange.ts';
import { syntaxOfMediaType } from './frame-forms.ts';
import { HttpProblem } from './http-problem.ts';
import { type MediaType, parseMediaType } from './media-type.ts';
import { modelFormFor, sendModel } from './model-forms.ts';
import { boundaryForm, MultipartReader, type NextPiece, type PieceSource } from './multipart-reader.ts';
import type { Place } from './routes.ts';
import { failureOf, type StoreOutcome, storeAnswer } from './store-answer.ts';

const jsonType = 'application/dicom+json';
/** Data sets of one request, without their bulk data. */
export const jsonBytesMax = 32 * 1024 * 1024;
/** Bulk data of one request. */
export const bulkBytesMax = 128 * 1024 * 1024;
/** Requests whose bulk data is held at once; others wait, and their senders with them. */
const heldRequestsMax = 2;
const held = new Budget('requests of STOW-RS in JSON', heldRequestsMax);

/** Whether a request brings data sets in JSON. */
export function bringsJson(contentType: string | undefined): boolean {
  const type = parseMediaType(contentType ?? '');
  return type?.type === jsonType || (type?.type === 'multipart/related' && partsType(type) === jsonType);
}

function partsType({ params }: MediaType): string | undefined {
  return params.get('type')?.toLowerCase();
}

type Bulk = { readonly type: MediaType | undefined; readonly bytes: Uint8Array };
type Request = { readonly dataSets: readonly unknown[]; readonly bulk: ReadonlyMap<string, readonly Bulk[]> };

export async function answerJsonStore(
  exchange: Exchange,
  place: Place,
  onFault: (error: unknown) => void,
): Promise<void> {
  const { request, reply, accepts, base, archive } = exchange;
  const form = modelFormFor(accepts);
  // Before a byte of it is read.
  archive.demand('study.store');
  const body = new BodyReader(request);
  await held.take(1);
  try {
    const { dataSets, bulk } = await readRequest(request.headers['content-type'] ?? '', body, base);
    const outcomes: StoreOutcome[] = [];
    for (const json of dataSets) outcomes.push(await storeOne(exchange, { json, bulk, place }, onFault));
    if (outcomes.length === 0) throw new ArchiveError('ARGUMENT_INVALID', 'the request has no data set');
    const { status, json } = storeAnswer(outcomes, base);
    sendModel(reply, form, status, json);
  } finally {
    held.give(1);
    body.abandon();
  }
}

async function readRequest(contentType: string, body: BodyReader, base: string): Promise<Request> {
  const next: NextPiece = () => body.next();
  const type = parseMediaType(contentType);
  const bulk = new Map<string, Bulk[]>();
  if (type?.type === jsonType) return { dataSets: await dataSetsOf(next), bulk };
  const boundary = type?.params.get('boundary') ?? '';
  if (!boundaryForm.test(boundary)) throw new ArchiveError('ARGUMENT_INVALID', 'the multipart has no usable boundary');
  const reader = new MultipartReader(next, boundary);
  const first = await reader.nextPart();
  if (first === undefined) throw new ArchiveError('ARGUMENT_INVALID', 'the request has no part');
  const firstType = parseMediaType(first.headers.get('content-type') ?? jsonType)?.type;
  if (firstType !== jsonType) throw new HttpProblem(415, `the first part is ${jsonType}`);
  const dataSets = await dataSetsOf(first.next);
  let left = bulkBytesMax;
  for (let part = await reader.nextPart(); part !== undefined; part = await reader.nextPart()) {
    const bytes = await gathered(part.next, left, 'bulkBytesMax');
    left -= bytes.byteLength;
    const name = nameOf(part, base);
    if (name === undefined) continue;
    const one = { type: parseMediaType(part.headers.get('content-type') ?? ''), bytes };
    bulk.set(name, [...(bulk.get(name) ?? []), one]);
  }
  while ((await next()) !== undefined);
  return { dataSets, bulk };
}

async function dataSetsOf(next: NextPiece): Promise<readonly unknown[]> {
  const bytes = await gathered(next, jsonBytesMax, 'jsonBytesMax');
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return Array.isArray(json) ? json : [json];
  } catch (cause) {
    throw new ArchiveError('ARGUMENT_INVALID', 'the data sets are not JSON in UTF-8', { cause });
  }
}

async function gathered(next: NextPiece, bytesMax: number, limit: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for (let piece = await next(); piece !== undefined; piece = await next()) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > bytesMax)
      throw new ArchiveError('LIMIT_EXCEEDED', `${limit}: too much in one request: send files (application/dicom)`);
    pieces.push(piece);
  }
  return concatBytes(pieces);
}

/** By what a part is referred to. */
function nameOf({ headers }: PieceSource, base: string): string | undefined {
  const location = headers.get('content-location');
  if (location !== undefined) return absolute(location, base);
  const id = headers.get('content-id');
  return id === undefined ? undefined : `cid:${id.replace(/^<|>$/g, '')}`;
}

function absolute(uri: string, base: string): string {
  return URL.canParse(uri, `${base}/`) ? new URL(uri, `${base}/`).href : uri;
}

async function storeOne(
  { archive, tenant, user, base }: Exchange,
  one: { readonly json: unknown; readonly bulk: Request['bulk']; readonly place: Place },
  onFault: (error: unknown) => void,
): Promise<StoreOutcome> {
  const { json, bulk, place } = one;
  try {
    const { syntax, pieces } = dataSetBytes(json, (uri) => bulk.get(absolute(uri, base)) ?? []);
    const options = { tenant, syntax, source: user, study: place.study };
    return { kind: 'stored', stored: await archive.instances.store(options, inOrder(pieces)) };
  } catch (error) {
    if (!(error instanceof ArchiveError) || error.code === 'INTERNAL') onFault(error);
    return { kind: 'failed', failure: failureOf(error), named: namedIn(json) };
  }
}

/** The bytes of a data set of the model, in the syntax that its pixels have. */
function dataSetBytes(
  json: unknown,
  find: (uri: string) => readonly Bulk[],
): { readonly syntax: string; readonly pieces: readonly Uint8Array[] } {
  let syntax = explicitLittle;
  let pixels: { readonly vr: string; readonly frames: readonly Uint8Array[] } | undefined;
  const dataSet = dataSetOfJson(withoutMeta(json), {
    bulkElement: (uri, tag, vr, path) => {
      const parts = find(uri);
      const [first] = parts;
      if (first === undefined) return undefined;
      const bytes = parts.map((part) => part.bytes);
      if (path.length > 1 || !isPixelData(tag)) return bytesElement(tag, vr, even(concatBytes(bytes)));
      syntax = syntaxOfPart(first.type) ?? explicitLittle;
      pixels = { vr: syntax.encapsulated ? 'OB' : vr, frames: bytes };
      return bytesElement(tag, vr, new Uint8Array(0));
    },
  });
  if (pixels === undefined) return { syntax: syntax.uid, pieces: [encodeDataSet(dataSet, syntax)] };
  const elements = dataSet.inOrder();
  const at = elements.findIndex(({ tag, kind }) => isPixelData(tag) && kind === 'bytes');
  const tag = elements[at]?.tag ?? 0;
  const pieces = [
    encodeDataSet(new DataSet(elements.slice(0, at)), syntax),
    ...pixelElement(tag, pixels, syntax),
    encodeDataSet(new DataSet(elements.slice(at + 1)), syntax),
  ];
  return { syntax: syntax.uid, pieces };
}

/** What belongs to a file and not to a data set. */
function withoutMeta(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(Object.entries(json).filter(([name]) => !name.startsWith('0002')));
}

/** The syntax of compressed pixels, by what the part says or what its type stands for; undefined for plain ones. */
function syntaxOfPart(type: MediaType | undefined): TransferSyntax | undefined {
  const uid = type?.params.get('transfer-syntax') ?? syntaxOfMediaType(type?.type ?? '');
  const syntax = uid === undefined ? undefined : transferSyntaxOf(uid);
  return syntax?.encapsulated === true ? syntax : undefined;
}

function pixelElement(
  tag: number,
  { vr, frames }: { readonly vr: string; readonly frames: readonly Uint8Array[] },
  { encapsulated }: TransferSyntax,
): readonly Uint8Array[] {
  const head = new Uint8Array(12);
  const view = new DataView(head.buffer);
  view.setUint16(0, tag >>> 16, true);
  view.setUint16(2, tag & 0xffff, true);
  head.set([vr.charCodeAt(0), vr.charCodeAt(1)], 4);
  if (encapsulated) {
    view.setUint32(8, 0xffff_ffff, true);
    return [
      head,
      ...encapsulationStart(undefined),
      ...frames.flatMap((each) => encapsulateFrame(each)),
      ...encapsulationEnd(),
    ];
  }
  const sizeBytes = frames.reduce((sum, each) => sum + each.byteLength, 0);
  view.setUint32(8, sizeBytes + (sizeBytes % 2), true);
  return [head, ...frames, new Uint8Array(sizeBytes % 2)];
}

function even(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength % 2 === 0 ? bytes : concatBytes([bytes, new Uint8Array(1)]);
}

async function* inOrder(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) if (piece.byteLength > 0) yield piece;
}

const uidForm = /^[\x21-\x2e\x30-\x7e]{1,64}$/;

/** What a data set says that it is, as far as that can be told. */
function namedIn(json: unknown): { readonly classUid: string; readonly instanceUid: string } | undefined {
  const valueOf = (tag: string): string => {
    const value = (json as Record<string, { Value?: unknown[] } | undefined> | null)?.[tag]?.Value?.[0];
    return typeof value === 'string' ? value : '';
  };
  const [classUid, instanceUid] = [valueOf('00080016'), valueOf('00080018')];
  return uidForm.test(classUid) && uidForm.test(instanceUid) ? { classUid, instanceUid } : undefined;
}
