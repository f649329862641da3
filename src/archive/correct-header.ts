// A header as it leaves: what was merged, moved, corrected or read anew applied to the elements as they are stored. The one place where that is done, for files,
// metadata and answers alike.
//
// Invariants: pure; what no amendment changes is not touched, and a header in which nothing changes is undefined, so that it leaves byte for byte; each amendment that
// changes something adds one item to Original Attributes Sequence behind those that are there, with the values before it; the header's character set can say what the
// header says, and is Unicode where the stored one could not.
// Left out on purpose: bytes and pixels (instance-output.ts), and what is in force (the catalog).

import { decodingFor, type StudyAmendments, stepsFor } from '../catalog/index.ts';
import {
  type CharacterSet,
  DataSet,
  dictionaryEntry,
  ItemsElement,
  parseCharacterSet,
  recodeText,
  type Tag,
  tagOfKeyword,
  tags,
  type Vr,
} from '../dicom/index.ts';
import type { AmendmentEvent } from '../format/index.ts';

export type CorrectedInstance = { readonly studyUid: string; readonly seriesUid: string };

/** `text-passed-over`: the header is to be read again with all its values. */
export type CorrectedHeader = DataSet | 'text-passed-over' | undefined;

type Change = { readonly tag: Tag; readonly vr: Vr; readonly isText: boolean; readonly value: string };

const unicode = parseCharacterSet(['ISO_IR 192']);
const modifyingSystem = 'Stele';

export function correctHeader(
  header: DataSet,
  amendments: StudyAmendments,
  { studyUid, seriesUid }: CorrectedInstance,
): CorrectedHeader {
  const correction = new Correction(header);
  const { list } = amendments;
  const declared = header.strings(tags.SpecificCharacterSet);
  const decoding = decodingFor(list, { study: studyUid, series: seriesUid, declared });
  if (decoding !== undefined) correction.readAs(decoding, decoding.terms);
  const { steps } = stepsFor(list, { study: studyUid, patient: correction.patient(amendments.patient) });
  for (const { event, attributes } of steps) {
    if (!correction.apply(event, changesOf(attributes))) return 'text-passed-over';
  }
  return correction.corrected;
}

function changesOf(attributes: Readonly<Record<string, string>>): Change[] {
  return Object.entries(attributes).flatMap(([keyword, value]) => {
    const tag = tagOfKeyword(keyword);
    const entry = tag === undefined ? undefined : dictionaryEntry(tag);
    if (tag === undefined || entry === undefined) return [];
    const { kind, vr } = entry.facts;
    return kind === 'text' || kind === 'string' ? [{ tag, vr, isText: kind === 'text', value }] : [];
  });
}

class Correction {
  #dataSet: DataSet;
  #isChanged = false;
  #set: CharacterSet;

  constructor(header: DataSet) {
    this.#dataSet = header;
    this.#set = header.characterSet();
  }

  get corrected(): DataSet | undefined {
    return this.#isChanged ? this.#dataSet : undefined;
  }

  /** Whom the header names. What stands for a missing issuer was said when the study came. */
  patient(known: StudyAmendments['patient']): StudyAmendments['patient'] {
    const [patientId, issuer] = [this.#text(tags.PatientID), this.#text(tags.IssuerOfPatientID)];
    return { patientId, issuer: issuer === '' && patientId === known.patientId ? known.issuer : issuer };
  }

  #text(tag: Tag): string {
    return this.#dataSet.texts(tag, this.#set).join('\\');
  }

  /** The bytes stay, and are said to be in another character set. */
  readAs(event: AmendmentEvent, terms: readonly string[]): void {
    const set = parseCharacterSet(terms);
    if (set.terms.join('\\') === this.#set.terms.join('\\')) return;
    const before = new DataSet();
    this.#keep(before, tags.SpecificCharacterSet, 'CS');
    this.#change();
    this.#dataSet.setString(tags.SpecificCharacterSet, set.terms);
    this.#set = set;
    this.#note(event, before);
  }

  /** False: a text was passed over that would have to be said otherwise. */
  apply(event: AmendmentEvent, wanted: readonly Change[]): boolean {
    const changes = wanted.filter(({ tag, value }) => this.#text(tag) !== value);
    if (changes.length === 0) return true;
    if (!changes.every((each) => this.#canSay(each)) && !this.#toUnicode()) return false;
    const before = new DataSet();
    for (const { tag, vr } of changes) this.#keep(before, tag, vr);
    this.#change();
    for (const { tag, vr, isText, value } of changes) {
      if (isText) this.#dataSet.setText(tag, value, this.#set, vr);
      else this.#dataSet.setString(tag, value, vr);
    }
    this.#note(event, before);
    return true;
  }

  #canSay({ tag, vr, isText, value }: Change): boolean {
    return !isText || new DataSet().setText(tag, value, this.#set, vr);
  }

  #toUnicode(): boolean {
    const recoded = recodeText(this.#dataSet, this.#set, unicode);
    if (recoded === undefined) return false;
    this.#dataSet = recoded;
    this.#isChanged = true;
    this.#set = unicode;
    return true;
  }

  #change(): void {
    if (!this.#isChanged) this.#dataSet = this.#dataSet.copy();
    this.#isChanged = true;
  }

  /** The value as it is now; of what is not there an empty one. */
  #keep(before: DataSet, tag: Tag, vr: Vr): void {
    const element = this.#dataSet.element(tag);
    if (element?.kind === 'bytes') before.set(element);
    else before.setBytes(tag, vr, new Uint8Array(0));
  }

  #note(event: AmendmentEvent, before: DataSet): void {
    const item = new DataSet();
    item.setItems(tags.ModifiedAttributesSequence, [before]);
    item.setString(tags.AttributeModificationDateTime, dateTimeOf(event.createdMs));
    if (event.system === undefined || !item.setText(tags.ModifyingSystem, event.system, this.#set))
      item.setString(tags.ModifyingSystem, modifyingSystem, 'LO');
    item.setBytes(tags.SourceOfPreviousValues, 'LO', new Uint8Array(0));
    item.setString(tags.ReasonForTheAttributeModification, event.type === 'merged' ? 'COERCE' : 'CORRECT');
    const known = this.#dataSet.element(tags.OriginalAttributesSequence);
    const items = known instanceof ItemsElement ? known.items : [];
    const { vr = 'SQ', definedLength = true } = known instanceof ItemsElement ? known : {};
    this.#dataSet.set(new ItemsElement(tags.OriginalAttributesSequence, vr, [...items, item], definedLength));
  }
}

/** `20260102030405.678000+0000` */
function dateTimeOf(ms: number): string {
  const digits = new Date(ms).toISOString().replace(/[-:TZ]/g, '');
  return `${digits}000+0000`;
}
