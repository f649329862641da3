// In what form attributes are told: DICOM JSON, or XML of the Native DICOM Model (PS3.18 8.7.3.2).
//
// Invariants: the first form that an Accept takes, in the order of its wishes; JSON where both would do.

import type { Random } from '../../base/index.ts';
import { xmlOfDicomJson } from '../../dicom/index.ts';
import { HttpProblem } from './http-problem.ts';
import { type MediaRange, partTypeOf, takesType } from './media-type.ts';
import { MultipartWriter } from './multipart-writer.ts';
import type { Reply } from './reply.ts';

const jsonTypes = ['application/dicom+json', 'application/json'];
const xmlType = 'application/dicom+xml';

export type ModelForm = { readonly kind: 'json' | 'xml'; readonly type: string };

/** 406 when neither form is taken. */
export function modelFormFor(accepts: readonly MediaRange[]): ModelForm {
  for (const range of accepts) {
    const { multipart, type } = partTypeOf(range);
    const json = multipart ? undefined : jsonTypes.find((each) => takesType(type, each));
    if (json !== undefined) return { kind: 'json', type: json };
    if (takesType(type, xmlType)) return { kind: 'xml', type: xmlType };
  }
  throw new HttpProblem(406, `this is given as ${jsonTypes.join(', ')} or multipart/related; type="${xmlType}"`);
}

/** One object of the JSON model, in the form that is taken. */
export function sendModel(reply: Reply, { kind, type }: ModelForm, status: number, json: string): void {
  const text = kind === 'xml' ? xmlOfDicomJson(JSON.parse(json) as object) : json;
  reply.send(status, { 'content-type': type, 'cache-control': 'no-store' }, text);
}

/** The JSON type that is taken; 406 when none is. */
export function jsonTypeFor(accepts: readonly MediaRange[]): string {
  for (const { type } of accepts) {
    const found = jsonTypes.find((each) => takesType(type, each));
    if (found !== undefined) return found;
  }
  throw new HttpProblem(406, `this is given as ${jsonTypes.join(' or ')}`);
}

/** Data sets in XML, one a part, the head sent when the first is there; without any, 204. */
export async function sendXmlParts(
  reply: Reply,
  random: Random,
  headers: Readonly<Record<string, string>>,
  dataSets: AsyncIterable<string | Uint8Array>,
): Promise<void> {
  const writer = new MultipartWriter(reply, random);
  for await (const json of dataSets) {
    const text = typeof json === 'string' ? json : Buffer.from(json).toString('utf8');
    const xml = Buffer.from(xmlOfDicomJson(JSON.parse(text) as object), 'utf8');
    if (!reply.begun && !reply.begin(200, { ...headers, 'content-type': writer.typeOf(xmlType) })) return;
    await writer.part({ 'Content-Type': `${xmlType}; charset=utf-8`, 'Content-Length': String(xml.byteLength) }, xml);
  }
  if (reply.begun) writer.end();
  else reply.send(204, headers, '');
}
