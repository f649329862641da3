// File meta information (PS3.10 7.1): what is said in front of a data set in a file, and writing it.

import { assert, concatBytes } from '../../base/index.ts';
import { DataSet } from './data-set.ts';
import { bytesElement } from './element.ts';
import { tags } from './tag.ts';
import { explicitLittle, type TransferSyntax, transferSyntaxOf } from './transfer-syntax.ts';
import { implementationClassUid, implementationVersionName, type Uid } from './uid.ts';
import { encodeDataSet } from './writer.ts';

export type FileMeta = {
  /** The elements of group 0002, as they came; empty when there were none. */
  readonly dataSet: DataSet;
  /** Of the data set that follows. */
  readonly syntax: TransferSyntax;
  /** The file did not say the syntax. */
  readonly guessed: boolean;
  /** Where the data set begins in the file. */
  readonly dataSetOffset: number;
};

export const preambleBytes = 128;
export const prefix = new Uint8Array([0x44, 0x49, 0x43, 0x4d]); // DICM

export type FileMetaFields = {
  readonly sopClassUid: Uid;
  readonly sopInstanceUid: Uid;
  readonly syntaxUid: Uid;
  /** The AE title of who wrote the file, and of who sent and received it before. */
  readonly sourceAeTitle?: string | undefined;
  readonly sendingAeTitle?: string | undefined;
  readonly receivingAeTitle?: string | undefined;
};

/** Preamble, prefix and group 0002: what stands in a file before the first byte of its data set. */
export function encodeFileMeta(fields: FileMetaFields): Uint8Array {
  const dataSet = new DataSet([
    bytesElement(tags.FileMetaInformationGroupLength, 'UL', new Uint8Array(4)),
    bytesElement(tags.FileMetaInformationVersion, 'OB', Uint8Array.of(0, 1)),
  ]);
  dataSet.setString(tags.MediaStorageSOPClassUID, fields.sopClassUid);
  dataSet.setString(tags.MediaStorageSOPInstanceUID, fields.sopInstanceUid);
  dataSet.setString(tags.TransferSyntaxUID, fields.syntaxUid);
  dataSet.setString(tags.ImplementationClassUID, implementationClassUid);
  dataSet.setString(tags.ImplementationVersionName, implementationVersionName);
  const titles = [
    [tags.SourceApplicationEntityTitle, fields.sourceAeTitle],
    [tags.SendingApplicationEntityTitle, fields.sendingAeTitle],
    [tags.ReceivingApplicationEntityTitle, fields.receivingAeTitle],
  ] as const;
  // A title comes from a peer, and may hold what no title can.
  for (const [tag, title] of titles) if (title !== undefined) dataSet.setString(tag, title.replace(/[^ -~]/g, '?'));
  assert(implementationVersionName.length <= 16, 'a version name has at most 16 characters');
  return concatBytes([new Uint8Array(preambleBytes), prefix, encodeDataSet(dataSet, explicitLittle)]);
}

/** The syntax that meta information names. */
export function syntaxOfMeta(dataSet: DataSet): TransferSyntax | undefined {
  const uid = dataSet.uid(tags.TransferSyntaxUID);
  return uid === undefined ? undefined : transferSyntaxOf(uid);
}
