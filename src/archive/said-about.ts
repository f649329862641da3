// What this process said last of each study and series: the next instance says it again only when it changed.
//
// Invariants: a cache: whatever is forgotten is said once more, which changes nothing; bounded in entries. What is remembered is a digest, so no name of
// a patient stays in memory for it. What was said in a group whose key was destroyed counts for nothing in the next one.

import { groupText, hexOf, type KeyGroup, sha256, utf8Bytes } from '../base/index.ts';
import type { AboutInstance, Attributes, ReadAs } from '../format/index.ts';

export type Described = {
  readonly study: string;
  readonly series: string;
  readonly patientAttributes: Attributes;
  readonly studyAttributes: Attributes;
  readonly seriesAttributes: Attributes;
  readonly readAs: ReadAs;
};

const entriesMax = 20_000;

export class SaidAbout {
  #young = new Map<string, string>();
  #old = new Map<string, string>();

  /** What there is to say. A study is always said with its patient, to whom it belongs. */
  news(described: Described, group: KeyGroup): AboutInstance {
    const study = this.#get(studyName(described, group)) !== studyDigest(described);
    const series = study || this.#get(seriesName(described, group)) !== seriesDigest(described);
    return {
      patient: study ? described.patientAttributes : undefined,
      study: study ? described.studyAttributes : undefined,
      series: series ? described.seriesAttributes : undefined,
    };
  }

  /** After it became durable. */
  remember(described: Described, group: KeyGroup): void {
    this.#set(studyName(described, group), studyDigest(described));
    this.#set(seriesName(described, group), seriesDigest(described));
  }

  #get(name: string): string | undefined {
    return this.#young.get(name) ?? this.#old.get(name);
  }

  #set(name: string, digest: string): void {
    if (this.#young.get(name) === digest) return;
    if (this.#young.size >= entriesMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(name, digest);
  }
}

const studyName = (described: Described, group: KeyGroup): string => `${groupText(group)}/${described.study}`;
const seriesName = (described: Described, group: KeyGroup): string =>
  `${groupText(group)}/${described.study}/${described.series}`;

function studyDigest(described: Described): string {
  return digestOf([described.patientAttributes, described.studyAttributes]);
}

function seriesDigest(described: Described): string {
  return digestOf([described.seriesAttributes, described.readAs]);
}

/** Of what an instance says; asked for again when it is remembered. */
const digests = new WeakMap<Attributes, string>();

function digestOf(values: readonly [Attributes, ...(Attributes | ReadAs)[]]): string {
  const known = digests.get(values[0]);
  if (known !== undefined) return known;
  const digest = hexOf(sha256(utf8Bytes(JSON.stringify(values)))).slice(0, 32);
  digests.set(values[0], digest);
  return digest;
}
