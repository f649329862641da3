// What a pull asks of a source, whatever it speaks: which studies there are, and what series and instances a study has.
//
// Invariants: a question that failed is an error and never an empty answer; an answer that may have been cut off is told as such; what a source says
// is bounded by who asks it.
// Left out on purpose: fetching, which each way does in its own words (peer-line.ts, web-line.ts).

import type { Answered, Slice } from './slice.ts';

/** A study of more is asked for all the same; its list would not be held. */
export const answersMax = 500_000;

export type SourceInstance = {
  readonly series: string;
  readonly instance: string;
  /** Where the source says it. */
  readonly classUid: string | undefined;
};

export type StudyListing = {
  readonly instances: readonly SourceInstance[];
  /** Series whose list is shorter than what the source counts in them, or may have been cut off. */
  readonly doubtfulSeries: readonly string[];
};

/** A study, a series of it, or some instances of a series. */
export type Wanted = { readonly study: string; readonly series?: string; readonly instances?: readonly string[] };

export interface SourceLine {
  studies(slice: Slice): Promise<Answered>;
  /** Whether any study has a date between two days. */
  any(dates: NonNullable<Slice['dates']>, modality: string | undefined): Promise<boolean>;
  /** Series and instances as the source lists them. */
  list(study: string, isRound: (count: number) => boolean): Promise<StudyListing>;
  /** Lets go of what is open, politely where it still stands. */
  close(): Promise<void>;
  /** After an error: the next question opens again. */
  drop(): void;
}
