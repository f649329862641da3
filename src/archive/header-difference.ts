// In which attributes two data sets differ, and whether that makes them somebody else's.
//
// Invariants: pure; what is the same but written otherwise (lengths, padding, byte order, an unknown VR) is the same; pixels, and what only says how a data set is laid
// out, are passed over; long values, which are not in memory, are given back in pairs for whoever can read them.

import { bytesEqual } from '../base/index.ts';
import {
  type BulkElement,
  type CharacterSet,
  type DataSet,
  DataSetReader,
  type Element,
  implicitLittle,
  isPixelData,
  type Tag,
  tagHex,
  tagOfKeyword,
  tags,
} from '../dicom/index.ts';

export type HeaderDifference = {
  /** Such as 00081030, or 00400275/0/00400007. */
  readonly paths: readonly string[];
  /** Long values of equal size, to be compared by whoever can read them. */
  readonly long: readonly { readonly path: string; readonly one: BulkElement; readonly other: BulkElement }[];
};

/** Named in one comparison; more would tell nobody more. */
const pathsMax = 100;
/** What bytes are laid out by, not what they say. */
const layout: ReadonlySet<Tag> = new Set([
  0x0008_0001,
  tags.ExtendedOffsetTable,
  tags.ExtendedOffsetTableLengths,
  tags.DataSetTrailingPadding,
]);
/** Changed by decoding and encoding pixels, which are compared as what they show: colours, planes, and the sentence on how that was done. */
const ofCoding: ReadonlySet<Tag> = new Set([0x0028_0004, 0x0028_0006, 0x0008_2111]);
const trimmed: ReadonlySet<string> = new Set('AE AS CS DA DS DT IS LO LT OB PN SH ST TM UC UI UN UR UT'.split(' '));

export function headerDifference(
  one: DataSet,
  other: DataSet,
  options: { readonly sameSyntax: boolean },
): HeaderDifference {
  const paths: string[] = [];
  const long: HeaderDifference['long'][number][] = [];
  const passes = (tag: Tag): boolean =>
    (tag & 0xffff) === 0 || isPixelData(tag) || layout.has(tag) || (!options.sameSyntax && ofCoding.has(tag));
  const differs = (path: string): void => {
    if (paths.length < pathsMax && !paths.includes(path)) paths.push(path);
  };
  const walk = (a: DataSet, b: DataSet, prefix: string): void => {
    const all = new Set([...a.elements, ...b.elements].map((element) => element.tag));
    for (const tag of [...all].sort((x, y) => x - y)) {
      if (passes(tag)) continue;
      const path = `${prefix}${tagHex(tag)}`;
      const [left, right] = [a.element(tag), b.element(tag)];
      const [ours, theirs] = [itemsOf(left, right), itemsOf(right, left)];
      if (ours !== undefined && theirs !== undefined) {
        if (ours.length !== theirs.length) differs(path);
        else ours.forEach((item, index) => walk(item, theirs[index] as DataSet, `${path}/${index}/`));
      } else if (left?.kind === 'bulk' && right?.kind === 'bulk') {
        if (left.reference.sizeBytes !== right.reference.sizeBytes) differs(path);
        else long.push({ path, one: left, other: right });
      } else if (left === undefined || right === undefined || !sameValue(left, right)) differs(path);
    }
  };
  walk(one, other, '');
  return { paths, long };
}

/** Items of a sequence; also where one side has it as the bytes that an implicit syntax leaves of a private one. */
function itemsOf(element: Element | undefined, other: Element | undefined): readonly DataSet[] | undefined {
  if (element?.kind === 'items') return element.items;
  if (element?.kind !== 'bytes' || other?.kind !== 'items') return undefined;
  const head = new Uint8Array(8);
  const view = new DataView(head.buffer);
  // As the value of an attribute that everyone knows to be a sequence.
  view.setUint16(0, tags.RequestAttributesSequence >>> 16, true);
  view.setUint16(2, tags.RequestAttributesSequence & 0xffff, true);
  view.setUint32(4, element.sizeBytes, true);
  const reader = new DataSetReader({ syntax: implicitLittle, bulkBytesMin: Number.POSITIVE_INFINITY });
  try {
    reader.push(head);
    reader.push(element.bytes);
    return reader.finish().items(tags.RequestAttributesSequence);
  } catch {
    return undefined;
  }
}

function sameValue(one: Element, other: Element): boolean {
  if (one.kind !== 'bytes' || other.kind !== 'bytes') return false;
  if (bytesEqual(one.bytes, other.bytes)) return true;
  return trimmed.has(one.vr) && trimmed.has(other.vr) && bytesEqual(unpadded(one.bytes), unpadded(other.bytes));
}

function unpadded(bytes: Uint8Array): Uint8Array {
  let end = bytes.byteLength;
  while (end > 0 && (bytes[end - 1] === 0x20 || bytes[end - 1] === 0)) end -= 1;
  return bytes.subarray(0, end);
}

const identityKeywords = [
  'PatientID',
  'IssuerOfPatientID',
  'PatientName',
  'PatientBirthDate',
  'PatientSex',
  'StudyInstanceUID',
  'SeriesInstanceUID',
];

/** Keywords of what says whose an instance is and where it belongs, as far as that differs. Names are compared as they read. */
export function identityDifference(
  one: { readonly dataSet: DataSet; readonly set: CharacterSet },
  other: { readonly dataSet: DataSet; readonly set: CharacterSet },
  sameName: (a: string, b: string) => boolean,
): string[] {
  return identityKeywords.filter((keyword) => {
    const tag = tagOfKeyword(keyword) ?? 0;
    const [a, b] = [one, other].map(({ dataSet, set }) => dataSet.texts(tag, set).join('\\').trim());
    if (a === b) return false;
    const [left, right] = [one.dataSet.bytes(tag), other.dataSet.bytes(tag)];
    // The same bytes under another declaration are the same name, one of them misread.
    if (left !== undefined && right !== undefined && bytesEqual(unpadded(left), unpadded(right))) return false;
    if (keyword === 'PatientBirthDate') return digits(a) !== digits(b);
    return keyword !== 'PatientName' || !sameName(a ?? '', b ?? '');
  });
}

function digits(text: string | undefined): string {
  return (text ?? '').replace(/\D/g, '');
}
