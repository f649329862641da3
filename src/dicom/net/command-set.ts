// Command sets (PS3.7 annex E): group 0000, always implicit little-endian, a small set of elements.
//
//   element: group(2)=0 element(2) length(4) value; (0000,0000) comes first and counts the bytes behind it
//
// Invariants: what decodes lies within its bytes, has a command field and says whether a data set follows; elements that are not known, retired
// ones among them, are passed over; texts come without padding, as the peer wrote them, and are never part of an error of ours; what encodes is
// in the order of tags, with even lengths.
// Left out on purpose: which elements a command needs (dimse-commands.ts).

import { assert, viewOf } from '../../base/index.ts';
import { messageError } from './protocol-error.ts';

/** What a command may say. Names are PS3.7's, shortened where nothing is lost. */
export type CommandSet = {
  readonly commandField: number;
  readonly hasDataSet: boolean;
  readonly affectedSopClass?: string | undefined;
  readonly requestedSopClass?: string | undefined;
  readonly messageId?: number | undefined;
  readonly messageIdRespondedTo?: number | undefined;
  readonly moveDestination?: string | undefined;
  readonly priority?: number | undefined;
  readonly status?: number | undefined;
  readonly offendingElements?: readonly number[] | undefined;
  readonly errorComment?: string | undefined;
  readonly errorId?: number | undefined;
  readonly affectedSopInstance?: string | undefined;
  readonly requestedSopInstance?: string | undefined;
  readonly eventType?: number | undefined;
  readonly attributes?: readonly number[] | undefined;
  readonly actionType?: number | undefined;
  readonly remaining?: number | undefined;
  readonly completed?: number | undefined;
  readonly failed?: number | undefined;
  readonly warning?: number | undefined;
  readonly moveOriginator?: string | undefined;
  readonly moveOriginatorMessageId?: number | undefined;
};

type Kind = 'uid' | 'text' | 'title' | 'u16' | 'tags';
type Field = Exclude<keyof CommandSet, 'hasDataSet'>;

/** In the order of tags. */
const fields: readonly (readonly [element: number, kind: Kind, field: Field | 'dataSetType'])[] = [
  [0x0002, 'uid', 'affectedSopClass'],
  [0x0003, 'uid', 'requestedSopClass'],
  [0x0100, 'u16', 'commandField'],
  [0x0110, 'u16', 'messageId'],
  [0x0120, 'u16', 'messageIdRespondedTo'],
  [0x0600, 'title', 'moveDestination'],
  [0x0700, 'u16', 'priority'],
  [0x0800, 'u16', 'dataSetType'],
  [0x0900, 'u16', 'status'],
  [0x0901, 'tags', 'offendingElements'],
  [0x0902, 'text', 'errorComment'],
  [0x0903, 'u16', 'errorId'],
  [0x1000, 'uid', 'affectedSopInstance'],
  [0x1001, 'uid', 'requestedSopInstance'],
  [0x1002, 'u16', 'eventType'],
  [0x1005, 'tags', 'attributes'],
  [0x1008, 'u16', 'actionType'],
  [0x1020, 'u16', 'remaining'],
  [0x1021, 'u16', 'completed'],
  [0x1022, 'u16', 'failed'],
  [0x1023, 'u16', 'warning'],
  [0x1030, 'title', 'moveOriginator'],
  [0x1031, 'u16', 'moveOriginatorMessageId'],
];
const fieldOfElement = new Map(fields.map((each) => [each[0], each]));

const noDataSet = 0x0101;
const dataSetFollows = 0x0001;
const elementHeadBytes = 8;
const groupLengthBytes = 12;
/** Error Comment is LO: at most 64 characters. */
const commentCharsMax = 64;
const textReadBytesMax = 1024;

export function decodeCommandSet(bytes: Uint8Array): CommandSet {
  const view = viewOf(bytes);
  const found: Record<string, unknown> = {};
  let offset = 0;
  while (offset < bytes.byteLength) {
    if (bytes.byteLength - offset < elementHeadBytes)
      throw messageError(`a command ends within an element, at ${offset}`);
    const group = view.getUint16(offset, true);
    const element = view.getUint16(offset + 2, true);
    const length = view.getUint32(offset + 4, true);
    offset += elementHeadBytes;
    if (group !== 0)
      throw messageError(`a command holds an element of group ${group}, at ${offset - elementHeadBytes}`);
    if (length > bytes.byteLength - offset)
      throw messageError(`an element of a command is longer than it, at ${offset}`);
    const known = fieldOfElement.get(element);
    // An empty value says as much as no element.
    if (known !== undefined && length > 0)
      found[known[2]] = decodeValue(known[1], bytes.subarray(offset, offset + length));
    offset += length;
  }
  const { commandField, dataSetType, ...rest } = found;
  if (typeof commandField !== 'number') throw messageError('a command has no command field');
  if (typeof dataSetType !== 'number') throw messageError('a command does not say whether a data set follows');
  return { ...rest, commandField, hasDataSet: dataSetType !== noDataSet };
}

function decodeValue(kind: Kind, value: Uint8Array): unknown {
  switch (kind) {
    case 'u16':
      if (value.byteLength !== 2)
        throw messageError(`a number in a command has ${value.byteLength} bytes instead of 2`);
      return (value[0] as number) + (value[1] as number) * 0x100;
    case 'tags': {
      if (value.byteLength % 4 !== 0) throw messageError('a list of tags in a command is cut off');
      const view = viewOf(value);
      return Array.from({ length: value.byteLength / 4 }, (_, index) => {
        return view.getUint16(index * 4, true) * 0x1_0000 + view.getUint16(index * 4 + 2, true);
      });
    }
    case 'uid':
    case 'title':
    case 'text':
      if (value.byteLength > textReadBytesMax) throw messageError(`a text in a command has ${value.byteLength} bytes`);
      return trimmedText(value);
    default:
      return assert(false, 'an element of a command has a kind');
  }
}

function trimmedText(value: Uint8Array): string {
  let end = value.byteLength;
  while (end > 0 && (value[end - 1] === 0 || value[end - 1] === 0x20)) end -= 1;
  let start = 0;
  while (start < end && value[start] === 0x20) start += 1;
  return Buffer.from(value.buffer, value.byteOffset + start, end - start).toString('latin1');
}

/**
 * Into a buffer of its own that begins with `headBytes` unused ones, for the heads of the PDU that carries it. Comments are cut to 64 characters,
 * and what is not ASCII in them becomes a question mark.
 */
export function encodeCommandSet(command: CommandSet, headBytes = 0): Uint8Array {
  const values: (string | number | readonly number[] | undefined)[] = [];
  let length = groupLengthBytes;
  for (const [, kind, field] of fields) {
    const value = field === 'dataSetType' ? (command.hasDataSet ? dataSetFollows : noDataSet) : command[field];
    const text = kind === 'text' && typeof value === 'string' ? comment(value) : value;
    values.push(text);
    if (text !== undefined) length += elementHeadBytes + valueBytes(kind, text);
  }
  const bytes = Buffer.alloc(headBytes + length);
  let offset = writeElement(bytes, headBytes, 0x0000, 4);
  offset = bytes.writeUInt32LE(length - groupLengthBytes, offset);
  for (const [index, [element, kind]] of fields.entries()) {
    const value = values[index];
    if (value === undefined) continue;
    const count = valueBytes(kind, value);
    offset = writeElement(bytes, offset, element, count);
    writeValue(bytes, offset, kind, value);
    offset += count;
  }
  assert(offset === bytes.byteLength, 'a command fills its buffer');
  return bytes;
}

function comment(text: string): string {
  return text.slice(0, commentCharsMax).replace(/[^\x20-\x5b\x5d-\x7e]/g, '?');
}

function valueBytes(kind: Kind, value: string | number | readonly number[]): number {
  if (typeof value === 'number') return 2;
  if (typeof value === 'string') return value.length + (value.length % 2);
  assert(kind === 'tags', 'only tags come in lists');
  return value.length * 4;
}

function writeElement(bytes: Buffer, offset: number, element: number, length: number): number {
  bytes.writeUInt16LE(element, offset + 2);
  return bytes.writeUInt32LE(length, offset + 4);
}

function writeValue(bytes: Buffer, offset: number, kind: Kind, value: string | number | readonly number[]): void {
  if (typeof value === 'number') {
    bytes.writeUInt16LE(value, offset);
  } else if (typeof value === 'string') {
    bytes.write(value, offset, 'latin1');
    // UIDs are padded with NUL, which is there already; texts with a space.
    if (value.length % 2 === 1 && kind !== 'uid') bytes[offset + value.length] = 0x20;
  } else {
    for (const [index, tag] of value.entries()) {
      bytes.writeUInt16LE(tag >>> 16, offset + index * 4);
      bytes.writeUInt16LE(tag & 0xffff, offset + index * 4 + 2);
    }
  }
}
