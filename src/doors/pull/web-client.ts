// WebClient: GET of a DICOMweb source, over connections that are kept.
//
// Invariants: no redirect is followed, so credentials go nowhere else; a source that says nothing for `silenceMsMax` while it is waited for is left; bodies
// come piece by piece, and who does not read holds the source up; JSON has a limit. What a source says never becomes part of an error's text, but for its
// status. Nothing is tried again here.

import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { ArchiveError, type Clock } from '../../base/index.ts';

export type WebSource = {
  /** Where DICOMweb begins, such as https://old/dicom-web. */
  readonly url: string;
  /** What goes in the Authorization header. */
  readonly authorization: string | undefined;
  /** Authorities to trust instead of those that Node knows (PEM). */
  readonly ca: Uint8Array | undefined;
};

export type WebAnswer = {
  readonly status: number;
  readonly contentType: string;
  /** Whether the source said that there would be more than it answered. */
  readonly isCut: boolean;
  /** To be read to its end, or left. A piece stays as it is. */
  readonly pieces: AsyncGenerator<Uint8Array>;
};

const silenceMsMax = 120_000;
const jsonBytesMax = 64 * 1024 * 1024;
/** What is left of an answer that nobody wants is read when it is so short, and its connection kept. */
const drainBytesMax = 64 * 1024;
/** Statuses that who asked decides about. */
const decidable: ReadonlySet<number> = new Set([200, 204, 206, 400, 404, 406, 410, 413, 415]);
const passing: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Checked and without what follows its last name. ARGUMENT_INVALID. */
export function sourceUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    throw new ArchiveError('ARGUMENT_INVALID', 'that is no URL', {
      cause: error,
      hint: 'such as https://old/dicom-web',
    });
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new ArchiveError('ARGUMENT_INVALID', 'DICOMweb is asked over http or https');
  if (url.username !== '' || url.password !== '')
    throw new ArchiveError('ARGUMENT_INVALID', 'a URL holds no password', { hint: 'use --user and --credential' });
  if (url.search !== '' || url.hash !== '')
    throw new ArchiveError('ARGUMENT_INVALID', 'the URL of a source ends with its path');
  return url.href.replace(/\/+$/, '');
}

export class WebClient {
  readonly #source: WebSource;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #agent: http.Agent;

  constructor(source: WebSource, clock: Clock, signal: AbortSignal) {
    this.#source = source;
    this.#clock = clock;
    this.#signal = signal;
    const kept = { keepAlive: true, maxSockets: 4, noDelay: true };
    this.#agent = source.url.startsWith('https:')
      ? new https.Agent({
          ...kept,
          minVersion: 'TLSv1.2',
          ...(source.ca === undefined ? {} : { ca: Buffer.from(source.ca) }),
        })
      : new http.Agent(kept);
  }

  close(): void {
    this.#agent.destroy();
  }

  /**
   * `path` begins with a slash and is encoded. Resolves with the head of the answer: 200, 204, 206, 400, 404, 406, 410, 413, 415. ACCESS_DENIED, DICOM_UNREACHABLE,
   * DICOM_TIMEOUT, DICOM_BUSY, DICOM_UNSUPPORTED, CLOSED.
   */
  async get(path: string, accept: string): Promise<WebAnswer> {
    const { authorization, url } = this.#source;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const ask = url.startsWith('https:') ? https.request : http.request;
    const request = ask(`${url}${path}`, {
      agent: this.#agent,
      signal: this.#signal,
      headers: {
        accept,
        'accept-encoding': 'identity',
        'user-agent': 'stele',
        ...(authorization === undefined ? {} : { authorization }),
      },
    });
    request.on('response', resolve);
    request.on('error', (error) => reject(this.#failure(error, 'DICOM_UNREACHABLE')));
    request.end();
    let response: IncomingMessage;
    try {
      response = await this.#inTime(promise);
    } catch (error) {
      request.destroy();
      throw error;
    }
    const answer: WebAnswer = {
      status: response.statusCode ?? 0,
      contentType: response.headers['content-type'] ?? '',
      isCut: /\b299\b/.test(String(response.headers['warning'] ?? '')),
      pieces: this.#piecesOf(response),
    };
    const encoding = response.headers['content-encoding'] ?? 'identity';
    const refusal =
      encoding === 'identity'
        ? refusalOf(answer.status)
        : new ArchiveError('DICOM_UNSUPPORTED', 'the source encodes what was to come plain');
    if (refusal === undefined) return answer;
    await this.leave(answer);
    throw refusal;
  }

  /** Of an answer that is not wanted. */
  async leave({ pieces }: WebAnswer): Promise<void> {
    let bytes = 0;
    try {
      for await (const piece of pieces) {
        bytes += piece.byteLength;
        if (bytes > drainBytesMax) return;
      }
    } catch {
      // It is of no interest how it ends.
    }
  }

  /** The rows of an answer in DICOM JSON. DICOM_PROTOCOL when it is none, LIMIT_EXCEEDED. */
  async rows(answer: WebAnswer): Promise<readonly Record<string, unknown>[]> {
    const held: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of answer.pieces) {
      bytes += piece.byteLength;
      if (bytes > jsonBytesMax)
        throw new ArchiveError('LIMIT_EXCEEDED', `an answer in JSON has at most ${jsonBytesMax} bytes`);
      held.push(piece);
    }
    let value: unknown;
    try {
      value = JSON.parse(Buffer.concat(held).toString('utf8'));
    } catch {
      // The cause would quote what stands there.
      throw new ArchiveError('DICOM_PROTOCOL', 'the source answered a query with what is no JSON');
    }
    if (!Array.isArray(value)) throw new ArchiveError('DICOM_PROTOCOL', 'the source answered a query with no list');
    return value.filter(
      (each): each is Record<string, unknown> => typeof each === 'object' && each !== null && !Array.isArray(each),
    );
  }

  async *#piecesOf(response: IncomingMessage): AsyncGenerator<Uint8Array> {
    const iterator = response[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    try {
      for (;;) {
        const next = await this.#inTime(iterator.next());
        if (next.done === true) return;
        yield next.value;
      }
    } catch (error) {
      throw this.#failure(error, 'DICOM_ABORTED');
    } finally {
      // A connection whose answer was not read to its end is of no use any more.
      if (!response.complete || !response.readableEnded) response.destroy();
    }
  }

  async #inTime<Result>(promise: Promise<Result>): Promise<Result> {
    const ended = new AbortController();
    const late = this.#clock.wait(silenceMsMax, ended.signal).then(() => {
      if (!ended.signal.aborted)
        throw new ArchiveError('DICOM_TIMEOUT', `the source said nothing for ${silenceMsMax} ms`);
      return promise;
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([promise, late]);
    } finally {
      ended.abort();
    }
  }

  #failure(error: unknown, code: 'DICOM_UNREACHABLE' | 'DICOM_ABORTED'): unknown {
    if (error instanceof ArchiveError) return error;
    if (this.#signal.aborted) return new ArchiveError('CLOSED', 'asking was given up', { cause: error });
    const reason = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.name) : 'unknown';
    const says = code === 'DICOM_ABORTED' ? 'the answer of the source broke off' : 'the source cannot be reached';
    return new ArchiveError(code, `${says} (${reason})`, { cause: error });
  }
}

function refusalOf(status: number): ArchiveError | undefined {
  if (decidable.has(status)) return undefined;
  if (status === 401 || status === 403)
    return new ArchiveError('ACCESS_DENIED', `the source answered ${status}`, {
      hint: 'give a token or a user and password that the source knows: --credential FILE, --user NAME',
    });
  if (passing.has(status)) return new ArchiveError('DICOM_BUSY', `the source answered ${status}`);
  const hint = status >= 300 && status < 400 ? 'name the address that it points to' : 'look at the log of the source';
  return new ArchiveError('DICOM_UNSUPPORTED', `the source answered ${status}`, { hint });
}
