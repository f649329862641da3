// Documents that an instance wraps (PDF and others): their bytes under their own media type.
//
// Invariants: the type is the one that the instance says, where that has the form of one, and nothing is looked up in the bytes.

import type { DataSet } from '../../dicom/index.ts';
import { answeredUnchanged, sendBytes } from './conditional.ts';
import { elementValueOf } from './element-value.ts';
import type { Exchange, Instance } from './exchange.ts';
import { stampOf } from './found-instances.ts';
import { HttpProblem } from './http-problem.ts';
import { littleEndianSource } from './little-endian-source.ts';
import { parseMediaType, partTypeOf, takesType } from './media-type.ts';

export const encapsulatedDocument = 0x0042_0011;
const mimeType = 0x0042_0012;
/** Encapsulated PDF, CDA, STL, OBJ and MTL Storage. */
const documentClasses = '1.2.840.10008.5.1.4.1.1.104.';

export function isDocument({ classUid }: Instance): boolean {
  return classUid.startsWith(documentClasses);
}

/** The document's own media type. */
export function documentTypeOf(header: DataSet): string | undefined {
  return parseMediaType(header.string(mimeType) ?? '')?.type;
}

/** WADO-RS /rendered of a document: as it is. 406 when its type is not taken. */
export async function sendDocument(exchange: Exchange, instance: Instance): Promise<void> {
  const { archive, accepts, request, reply } = exchange;
  const source = await littleEndianSource(archive, instance);
  const type = documentTypeOf(source.header) ?? 'application/octet-stream';
  const isTaken = accepts.some((range) => !partTypeOf(range).multipart && takesType(range.type, type));
  if (!isTaken) throw new HttpProblem(406, `this document is given as ${type}`);
  const stamp = stampOf([instance], 'document');
  if (answeredUnchanged(request, reply, stamp)) return;
  const value = elementValueOf(source, [encapsulatedDocument]);
  await sendBytes(exchange, { 'content-type': type }, { stamp, ...value });
}
