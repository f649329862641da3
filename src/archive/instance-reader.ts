// Reads a data set while it passes through on its way into the archive: who it is, where its pixels begin, and whether it is whole.
//
// Invariants: the bytes are not changed and not kept, beyond the header that is being read; enough is known of the instance before its first byte has to
// be written, as long as the data set keeps to the order of tags; a data set that cannot be read, breaks off or names no instance is DICOM_MALFORMED.
// Left out on purpose: judging what is odd. It is named and told to whoever keeps quality cases.

import { ArchiveError } from '../base/index.ts';
import { type DataSet, DataSetReader, tags, transferSyntaxOf } from '../dicom/index.ts';
import type { InstanceShape, ReadAs, Rejection } from '../format/index.ts';
import { type Description, describeInstance, shapeOf } from './describe-instance.ts';
import { keyObjectSelection, rejectionOf } from './rejection-note.ts';
import type { ReadTexts } from './text-reading.ts';

export type InstanceIdentity = Description & {
  readonly study: string;
  readonly series: string;
  readonly instance: string;
  readonly class: string;
  readonly number: string | undefined;
  readonly frames: number | undefined;
  readonly shape: InstanceShape | undefined;
  /** Which device made it, and how its texts were read. */
  readonly readAs: ReadAs;
};

export type ReadInstanceOptions = {
  readonly syntax: string;
  readonly issuer?: string | undefined;
  readonly expected?: { readonly classUid: string; readonly instanceUid: string } | undefined;
  readonly study?: string | undefined;
  /** In which character set its texts are. */
  readonly readTexts: (header: DataSet) => ReadTexts;
};

/** All that is asked of a header before its bytes may go on their way stands before this group. */
const describedBy = 0x0042_0000;
/** A header with larger values than this in front is described by what came until then. */
const waitBytesMax = 8 * 1024 * 1024;
const uidForm = /^[\x21-\x2e\x30-\x7e]{1,64}$/;

export class InstanceReader {
  readonly #options: ReadInstanceOptions;
  readonly #reader: DataSetReader;
  readonly #oddities = new Set<string>();
  readonly #deflated: boolean;
  #sizeBytes = 0;
  #identity: InstanceIdentity | undefined;

  constructor(options: ReadInstanceOptions) {
    this.#options = options;
    const syntax = transferSyntaxOf(options.syntax);
    this.#deflated = syntax.deflated;
    if (!syntax.known) this.#oddities.add('syntax-unknown');
    this.#reader = new DataSetReader({ syntax });
  }

  /** Who it is, once enough of the header came. */
  get identity(): InstanceIdentity | undefined {
    return this.#identity;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Bytes before the value of the pixel data, once that came; all bytes at the end where there is none. */
  get headBytes(): number | undefined {
    const pixels = this.#deflated ? undefined : this.#reader.pixels;
    return pixels?.valueOffset ?? (this.#reader.state === 'finished' ? this.#sizeBytes : undefined);
  }

  /** Of a rejection note, once all of it came. */
  get rejection(): Rejection | undefined {
    const identity = this.#identity;
    if (identity?.class !== keyObjectSelection) return undefined;
    return rejectionOf(this.#reader.dataSet, identity.instance);
  }

  get oddities(): readonly string[] {
    return [...new Set([...this.#oddities, ...this.#reader.oddities.map((each) => each.kind)])];
  }

  push(piece: Uint8Array): void {
    this.#reader.push(piece);
    this.#sizeBytes += piece.byteLength;
    if (this.#identity !== undefined) return;
    const last = this.#reader.dataSet.elements.at(-1)?.tag ?? 0;
    const enough = this.#reader.headerDone || last >= describedBy;
    if (enough || (this.#sizeBytes > waitBytesMax && last > tags.SeriesInstanceUID)) this.#describe();
  }

  /** After the last byte. */
  end(): InstanceIdentity {
    this.#reader.finish();
    return this.#identity ?? this.#describe();
  }

  #describe(): InstanceIdentity {
    const header = this.#reader.dataSet;
    const { expected, issuer } = this.#options;
    const uid = (tag: number, fallback?: string): string => {
      const text = header.string(tag) ?? fallback ?? '';
      if (!uidForm.test(text))
        throw new ArchiveError(
          'DICOM_MALFORMED',
          `the data set has no usable UID in ${tag.toString(16).padStart(8, '0')}`,
        );
      if (header.uid(tag) === undefined) this.#oddities.add('uid-form');
      return text;
    };
    const { set, readAs } = this.#options.readTexts(header);
    const identity: InstanceIdentity = {
      ...describeInstance(header, { issuer, characterSet: set }),
      readAs,
      study: uid(tags.StudyInstanceUID),
      series: uid(tags.SeriesInstanceUID),
      instance: uid(tags.SOPInstanceUID, expected?.instanceUid),
      class: uid(tags.SOPClassUID, expected?.classUid),
      number: header.string(tags.InstanceNumber),
      frames: header.number(tags.NumberOfFrames),
      shape: this.#deflated ? undefined : shapeOf(header),
    };
    if (this.#options.study !== undefined && this.#options.study !== identity.study)
      throw new ArchiveError('ARGUMENT_INVALID', 'the data set is of another study');
    if (expected !== undefined && expected.instanceUid !== identity.instance)
      this.#oddities.add('instance-uid-differs');
    if (expected !== undefined && expected.classUid !== identity.class) this.#oddities.add('class-uid-differs');
    if ((header.string(tags.PatientID) ?? '') === '') this.#oddities.add('patient-id-missing');
    this.#identity = identity;
    return identity;
  }
}
