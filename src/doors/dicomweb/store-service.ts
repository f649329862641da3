// STOW-RS: DICOM files of a request into the archive.
//
// Invariants: an instance that is answered as stored is durable; parts are read one after another and never held; while one is made durable those behind it
// are being read, a bounded number at once; a body that breaks off stores what was whole and says that the rest failed.

import { ArchiveError } from '../../base/index.ts';
import { BodyReader } from './body-reader.ts';
import type { Exchange } from './exchange.ts';
import { ClientGone, HttpProblem } from './http-problem.ts';
import { openFile } from './incoming-file.ts';
import { type MediaType, parseMediaType } from './media-type.ts';
import { modelFormFor, sendModel } from './model-forms.ts';
import { boundaryForm, MultipartReader, type PieceSource, wholeBody } from './multipart-reader.ts';
import type { Place } from './routes.ts';
import { failureOf, type StoreOutcome, storeAnswer } from './store-answer.ts';

const dicomType = 'application/dicom';
/** Instances whose bytes came and that are not durable yet. */
const storingMax = 16;
/** Parts of one request; what became of each is held in memory until the end. */
export const partsMax = 100_000;

export async function answerStore(exchange: Exchange, place: Place, onFault: (error: unknown) => void): Promise<void> {
  const { request, reply, accepts, archive } = exchange;
  const form = modelFormFor(accepts);
  // Before a byte of it is read.
  archive.demand('study.store');
  const body = await BodyReader.open(request);
  try {
    const { status, json } = await storeAll(exchange, place, body, onFault);
    sendModel(reply, form, status, json);
  } finally {
    body.abandon();
  }
}

async function storeAll(
  exchange: Exchange,
  place: Place,
  body: BodyReader,
  onFault: (error: unknown) => void,
): Promise<{ readonly status: number; readonly json: string }> {
  const parts = partsOf(exchange.request.headers['content-type'], body);
  const storing = new Set<Promise<void>>();
  const outcomes: (StoreOutcome | undefined)[] = [];
  let failure: unknown;
  try {
    for await (const part of parts) {
      if (outcomes.length >= partsMax)
        throw new ArchiveError('LIMIT_EXCEEDED', `partsMax: one request has at most ${partsMax} parts`);
      const index = outcomes.push(undefined) - 1;
      const one = storePart(exchange, part, place, onFault).then((outcome) => {
        outcomes[index] = outcome;
        storing.delete(one);
      });
      storing.add(one);
      // A store that failed before its bytes had all come leaves the rest to be passed over.
      await Promise.race([part.ended, one]);
      while (storing.size >= storingMax) await Promise.race(storing);
    }
  } catch (error) {
    failure = error;
  }
  await Promise.all(storing);
  if (failure instanceof ClientGone) throw failure;
  const told = outcomes.filter((each) => each !== undefined);
  if (failure !== undefined && !told.some((each) => each.kind === 'stored')) throw failure;
  if (told.length === 0) throw new ArchiveError('ARGUMENT_INVALID', 'the request has no part');
  const { status, json } = storeAnswer(told, exchange.base);
  return { status: failure === undefined ? status : 202, json };
}

async function storePart(
  { archive, tenant, user }: Exchange,
  part: PieceSource,
  { study }: Place,
  onFault: (error: unknown) => void,
): Promise<StoreOutcome> {
  let named: { readonly classUid: string; readonly instanceUid: string } | undefined;
  try {
    const type = parseMediaType(part.headers.get('content-type') ?? dicomType);
    if (type?.type !== dicomType && type?.type !== 'application/octet-stream')
      throw new ArchiveError('DICOM_MALFORMED', `a part is not ${dicomType}`);
    const file = await openFile(part.next, type.params.get('transfer-syntax'));
    ({ named } = file);
    const options = { tenant, syntax: file.syntax, source: user, study, expected: named };
    return { kind: 'stored', stored: await archive.instances.store(options, file.dataSet) };
  } catch (error) {
    if (!(error instanceof ArchiveError || error instanceof ClientGone) || (error as ArchiveError).code === 'INTERNAL')
      onFault(error);
    return { kind: 'failed', failure: failureOf(error), named };
  }
}

/** The files of a request. 415 when it is made of anything else. */
async function* partsOf(header: string | undefined, body: BodyReader): AsyncGenerator<PieceSource> {
  const next = (): Promise<Uint8Array | undefined> => body.next();
  const type = parseMediaType(header ?? '');
  if (type?.type === dicomType) {
    yield wholeBody(next, new Map([['content-type', header ?? '']]));
    return;
  }
  if (type?.type !== 'multipart/related' || !isOfFiles(type))
    throw new HttpProblem(415, `instances come as multipart/related; type="${dicomType}" or as ${dicomType}`);
  const boundary = type.params.get('boundary') ?? '';
  if (!boundaryForm.test(boundary)) throw new ArchiveError('ARGUMENT_INVALID', 'the multipart has no usable boundary');
  const reader = new MultipartReader(next, boundary);
  for (let part = await reader.nextPart(); part !== undefined; part = await reader.nextPart()) yield part;
  // What stands behind the last delimiter says nothing, and must not stay in the socket.
  while ((await next()) !== undefined);
}

function isOfFiles({ params }: MediaType): boolean {
  const type = params.get('type');
  return type === undefined || type.toLowerCase() === dicomType;
}
