// What moving content needs, and what it tells when it is done.

import type { RecordId } from '../base/index.ts';
import type { Catalog } from '../catalog/index.ts';
import type { InstanceFacts } from '../format/index.ts';
import type { Pace, Vault } from '../vault/index.ts';

/** Takes the bytes of a header and gives them as text; undefined: it cannot be told as text. */
export type HeaderText = { push(bytes: Uint8Array): void; end(): Uint8Array | undefined };

/** What browsing shows of an instance; who knows DICOM makes it. Neither throws because of the bytes. */
export type Describe = {
  headerText(facts: InstanceFacts): HeaderText;
  /** A JPEG; undefined when no picture can be made. */
  thumbnail(
    facts: InstanceFacts,
    sizeBytes: number,
    read: (from: number, to: number) => AsyncIterable<Uint8Array>,
  ): Promise<Uint8Array | undefined>;
};

export type MoveParts = {
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly pace: Pace;
  readonly describe?: Describe | undefined;
};

export type Moved = {
  readonly objects: number;
  readonly bytes: number;
  /** Where the content is now, with its digest: to be read back before anything is released. */
  readonly contents: readonly { readonly ref: RecordId; readonly digest: Uint8Array }[];
};
