// Headers as text: what a bundle keeps of them, and how that leaves again.
//
// Invariants: a text is one JSON object of DICOM JSON without the pixel data; long values stand as `"BulkDataURI":"path"`, and only there can these bytes
// stand in a text, since a quote within a value is written with a backslash; so they are found by their bytes. What cannot be told as text has none, and is read
// from the instance itself.
// Left out on purpose: what amends a header. Who answers applies that to the data set and writes anew (instances.ts).

import { type DataSet, DataSetReader, dataSetOfJson, JsonWriter, transferSyntaxOf } from '../dicom/index.ts';
import type { HeaderText } from '../flow/index.ts';
import type { InstanceFacts } from '../format/index.ts';

/** A longer one is not kept: the instance is asked. */
const textBytesMax = 1024 * 1024;
const bulkMember = Buffer.from('"BulkDataURI":"');

/** How a place within a data set is written: tags of eight hexadecimal digits, and numbers of items. */
export function bulkPath(path: readonly number[]): string {
  return path
    .map((each, index) => (index % 2 === 0 ? each.toString(16).toUpperCase().padStart(8, '0') : String(each)))
    .join('/');
}

export function headerText({ syntax }: Pick<InstanceFacts, 'syntax'>): HeaderText {
  let reader: DataSetReader | undefined = new DataSetReader({ syntax: transferSyntaxOf(syntax), stopAt: 'pixels' });
  return {
    push(bytes) {
      try {
        reader?.push(bytes);
      } catch {
        // It was stored all the same, with a word on what is odd about it.
        reader = undefined;
      }
    },
    end() {
      try {
        const header = reader?.headerDone === false ? reader.finish() : reader?.dataSet;
        if (header === undefined) return undefined;
        const writer = new JsonWriter({ bulkUri: bulkPath });
        writer.write(header);
        const text = writer.take();
        return text.byteLength <= textBytesMax ? text : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

/** The data set that a text tells; undefined where it leaves values to be fetched. */
export function headerOfText(text: Uint8Array): DataSet | undefined {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  if (bytes.includes(bulkMember)) return undefined;
  try {
    return dataSetOfJson(JSON.parse(bytes.toString('utf8')));
  } catch {
    return undefined;
  }
}

/** The text with what stands before each path of a long value: pieces to be written one behind the other. */
export function withBulkAt(text: Uint8Array, before: Uint8Array): Uint8Array[] {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (let at = bytes.indexOf(bulkMember); at >= 0; at = bytes.indexOf(bulkMember, from)) {
    const to = at + bulkMember.byteLength;
    pieces.push(bytes.subarray(from, to), before);
    from = to;
  }
  pieces.push(bytes.subarray(from));
  return pieces;
}
