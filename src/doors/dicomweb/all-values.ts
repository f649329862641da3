// WADO-RS /pixeldata and /bulkdata of a study, a series or an instance (PS3.18 10.4.1.1.5, 10.4.1.1.6): every frame, or every value that /metadata only refers to.
//
// Invariants: always a multipart, one part a frame or a value, instance after instance; each part says what it is (Content-Type) and where it can be had alone
// (Content-Location); instances without any are passed over, and a place that has none at all is a 404. One frame is held at a time.

import { ArchiveError } from '../../base/index.ts';
import { transferSyntaxOf } from '../../dicom/index.ts';
import { pixelTags, pixelValue } from './bulk-service.ts';
import { elementValueOf } from './element-value.ts';
import { type Exchange, type Instance, urlOf } from './exchange.ts';
import { findInstances } from './found-instances.ts';
import { frameFormFor } from './frame-forms.ts';
import { type Frame, framesOf } from './frame-source.ts';
import { allFrames, type FrameParts, openFrames } from './frames-service.ts';
import { HttpProblem } from './http-problem.ts';
import { littleEndianSource } from './little-endian-source.ts';
import { partTypeOf, takesType } from './media-type.ts';
import { headerJson } from './metadata-service.ts';
import { MultipartWriter } from './multipart-writer.ts';
import { elementPathOf, type Place } from './routes.ts';

const bytesType = 'application/octet-stream';
const pixelForms = { mayBeSingle: false, storedFirst: false };

type Part = { readonly type: string; readonly contentType: string; readonly location: string; readonly value: Frame };

export async function answerPixelData(exchange: Exchange, place: Place, parts: FrameParts): Promise<void> {
  const instances = withPixels(await findInstances(exchange, place));
  // What cannot be given is a refusal before anything is sent.
  for (const { syntaxUid } of instances) frameFormFor(exchange.accepts, transferSyntaxOf(syntaxUid), pixelForms);
  await sendAll(exchange, allPixels(exchange, instances, parts), parts);
}

export async function answerAllBulkData(exchange: Exchange, place: Place, parts: FrameParts): Promise<void> {
  const taken = exchange.accepts.map(partTypeOf);
  if (!taken.some(({ multipart, type }) => takesType(type, bytesType) && (multipart || type === '*/*')))
    throw new HttpProblem(406, `values are given as multipart/related; type="${bytesType}"`);
  const instances = await findInstances(exchange, place);
  await sendAll(exchange, allValues(exchange, instances, parts), parts);
}

function withPixels(instances: readonly Instance[]): readonly Instance[] {
  return instances.filter(({ headBytes, sizeBytes }) => headBytes < sizeBytes);
}

function placeUrl(base: string, instance: Instance): string {
  return urlOf(base, { study: instance.studyUid, series: instance.seriesUid, instance: instance.instanceUid });
}

async function* allPixels(
  { archive, accepts, base }: Exchange,
  instances: readonly Instance[],
  { pool }: FrameParts,
): AsyncGenerator<Part> {
  for (const instance of instances) {
    const wanted = frameFormFor(accepts, transferSyntaxOf(instance.syntaxUid), pixelForms);
    const source = await littleEndianSource(archive, instance);
    const frames = allFrames(source);
    const { form, given } = await openFrames(source, await framesOf(source, frames), wanted, pool);
    let frame = 0;
    for await (const value of given) {
      frame += 1;
      const location = `${placeUrl(base, instance)}/frames/${frame}`;
      yield { type: form.type, contentType: form.contentType, location, value };
    }
  }
}

async function* allValues(
  { archive, base }: Exchange,
  instances: readonly Instance[],
  { pool }: FrameParts,
): AsyncGenerator<Part> {
  for (const instance of instances) {
    const header: unknown = JSON.parse(Buffer.from(await headerJson(archive, instance, base)).toString('utf8'));
    const begin = `${placeUrl(base, instance)}/bulkdata/`;
    const source = await littleEndianSource(archive, instance);
    for (const location of urisIn(header)) {
      const path = elementPathOf(location.slice(begin.length).split('/'));
      const isPixels = path.length === 1 && pixelTags.has(path[0] as number);
      if (isPixels && source.syntax.encapsulated) {
        const stored = frameFormFor([{ type: '*/*', params: new Map(), q: 1 }], source.syntax, {
          mayBeSingle: false,
          storedFirst: true,
        });
        const { given } = await openFrames(source, await framesOf(source, allFrames(source)), stored, pool);
        for await (const value of given) yield { type: bytesType, contentType: stored.contentType, location, value };
        continue;
      }
      const value = isPixels ? await pixelValue(source) : elementValueOf(source, path);
      yield { type: bytesType, contentType: bytesType, location, value };
    }
  }
}

/** Where values of a data set in JSON can be fetched, in the order of their elements. */
function* urisIn(json: unknown): Generator<string> {
  if (typeof json !== 'object' || json === null) return;
  for (const [name, value] of Object.entries(json)) {
    if (name === 'BulkDataURI' && typeof value === 'string') yield value;
    else yield* urisIn(value);
  }
}

async function sendAll(
  { reply }: Exchange,
  all: AsyncIterable<Part>,
  { random }: Pick<FrameParts, 'random'>,
): Promise<void> {
  const writer = new MultipartWriter(reply, random);
  for await (const { type, contentType, location, value } of all) {
    const headers = { 'cache-control': 'private, no-cache', 'content-type': writer.typeOf(type) };
    if (!reply.begun && !reply.begin(200, headers)) return;
    await writer.part({
      'Content-Type': contentType,
      'Content-Length': String(value.sizeBytes),
      'Content-Location': location,
    });
    await reply.writeAll(value.read(0, value.sizeBytes));
  }
  if (!reply.begun) throw new ArchiveError('NOT_FOUND', 'nothing of this kind is stored there');
  writer.end();
}
