// The ledger of a pull: for every instance that the source named, what became of it; kept in the archive itself, in parts.
//
// Invariants: a part is an object of its own, durable before the job's row counts it; a part that a crash left uncounted is written anew by who resumes, so
// nothing counts twice. Memory is one part. Paths of files stand here, encrypted as all content is, and are shown only to who asks for them.
// Left out on purpose: what is made of it (report.ts).

import type { Archive } from '../../archive/index.ts';
import { type TenantId, utf8Bytes, utf8Text } from '../../base/index.ts';

/**
 * `here`: was there before. `stored`: came. `refused`: came and cannot be kept. `different`: came, and its UID is known with other bytes or in another study,
 * which stay. `missing`: did not come.
 */
export type InstanceState = 'here' | 'stored' | 'refused' | 'different' | 'missing';

export type InstanceLine = {
  readonly kind: 'instance';
  readonly study: string;
  readonly series: string;
  readonly instance: string;
  readonly state: InstanceState;
  /** SHA-256 of the data set as it was received, by us. */
  readonly sha256?: string | undefined;
  readonly why?: string | undefined;
};

/** What became of a row of the corrections: the last one of a line counts. */
export type CorrectionLine = {
  readonly kind: 'correction';
  readonly line: number;
  readonly study?: string | undefined;
  /** What it would change. */
  readonly fields: readonly string[];
  readonly state: 'applied' | 'already so' | 'not here' | 'ambiguous' | 'refused';
  /** Ids of the events. */
  readonly amendments?: readonly string[] | undefined;
  readonly why?: string | undefined;
};

export type LedgerLine =
  | InstanceLine
  | CorrectionLine
  | {
      readonly kind: 'study';
      readonly study: string;
      /** Instances that the source lists, and counts. */
      readonly listed: number;
      readonly counted?: number | undefined;
      /** Instances of the study that are here and that the source does not list. */
      readonly onlyHere: number;
      readonly why?: string | undefined;
    }
  /** An answer of the source that may have been cut off. */
  | { readonly kind: 'doubt'; readonly of: string; readonly why: string }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly sizeBytes: number;
      readonly state: 'passed-over' | 'refused';
      readonly why: string;
    }
  /** An instance that a DICOMDIR names. */
  | { readonly kind: 'named'; readonly instance: string };

export const pullBucket = 'pull-jobs';
const partLinesMax = 20_000;

type Place = { readonly archive: Archive; readonly tenant: TenantId; readonly job: string };

export class Ledger {
  readonly #place: Place;
  #parts: number;
  #lines: string[] = [];
  #writing: Promise<void> = Promise.resolve();

  constructor(place: Place, parts: number) {
    this.#place = place;
    this.#parts = parts;
  }

  /** Whether anything was added that no part holds yet. */
  get hasLines(): boolean {
    return this.#lines.length > 0;
  }

  /** Lines of one study stay together. */
  async add(lines: readonly LedgerLine[]): Promise<void> {
    for (const line of lines) this.#lines.push(JSON.stringify(line));
    if (this.#lines.length >= partLinesMax) await this.flush();
  }

  /** How many parts there are, all durable. */
  async flush(): Promise<number> {
    if (this.#lines.length > 0) {
      const text = `${this.#lines.join('\n')}\n`;
      const part = this.#parts;
      this.#lines = [];
      this.#parts += 1;
      this.#writing = this.#writing.then(() => putPart(this.#place, String(part).padStart(8, '0'), text));
    }
    await this.#writing;
    return this.#parts;
  }
}

/** Keeps a text beside the ledger. Durable when it resolves. */
export async function putPart({ archive, tenant, job }: Place, name: string, text: string): Promise<void> {
  const key = utf8Bytes(`${job}/${name}`);
  await archive.objects.put({ tenant, bucket: pullBucket, key, contentType: 'text/plain' }, piecesOf(text));
}

/** NOT_FOUND. */
export async function readPart({ archive, tenant, job }: Place, name: string): Promise<string> {
  const row = await archive.objects.find({ tenant, bucket: pullBucket, key: utf8Bytes(`${job}/${name}`) });
  const pieces: Uint8Array[] = [];
  for await (const piece of archive.objects.read(row)) pieces.push(piece.slice());
  return utf8Text(Buffer.concat(pieces)) ?? '';
}

/** The lines of the parts that count. */
export async function* ledgerLines(place: Place, parts: number): AsyncGenerator<LedgerLine> {
  for (let part = 0; part < parts; part += 1) {
    const text = await readPart(place, String(part).padStart(8, '0'));
    for (const line of text.split('\n')) if (line !== '') yield JSON.parse(line) as LedgerLine;
  }
}

async function* piecesOf(text: string): AsyncGenerator<Uint8Array> {
  yield utf8Bytes(text);
}
