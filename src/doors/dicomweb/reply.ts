// Reply: one answer on its way to the client.
//
// Invariants: head first and once; bytes go out no faster than the client takes them, and nothing is made for a client that has gone (ClientGone); an
// answer that breaks off in the middle is cut and never ended as if it were whole.

import type { ServerResponse } from 'node:http';
import { ClientGone } from './http-problem.ts';

export class Reply {
  readonly #response: ServerResponse;
  readonly #isHead: boolean;
  #wake: (() => void) | undefined;

  constructor(response: ServerResponse, isHead: boolean) {
    this.#response = response;
    this.#isHead = isHead;
    const wake = (): void => {
      const waiting = this.#wake;
      this.#wake = undefined;
      waiting?.();
    };
    response.on('drain', wake);
    response.on('close', wake);
  }

  get begun(): boolean {
    return this.#response.headersSent;
  }

  get isGone(): boolean {
    return this.#response.destroyed || this.#response.closed;
  }

  /** Added to what is answered, whatever that will be. */
  header(name: string, value: string): void {
    this.#response.setHeader(name, value);
  }

  /** False when nothing is to follow: whoever asked wanted the head alone. */
  begin(status: number, headers: Readonly<Record<string, string>>): boolean {
    if (this.isGone) throw new ClientGone();
    this.#response.writeHead(status, headers);
    if (!this.#isHead) return true;
    this.#response.end();
    return false;
  }

  /** Resolves when there is room for more. The bytes must stay as they are. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.isGone) throw new ClientGone();
    if (bytes.byteLength === 0 || this.#response.write(bytes)) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    if (this.isGone) throw new ClientGone();
  }

  /** In few system calls. Resolves when the system has them all, so that their memory may be used again. */
  async handOver(pieces: readonly Uint8Array[]): Promise<void> {
    if (this.isGone) throw new ClientGone();
    const last = pieces.at(-1);
    if (last === undefined) return;
    await new Promise<void>((resolve) => {
      this.#response.once('close', resolve);
      this.#response.cork();
      for (const piece of pieces.slice(0, -1)) this.#response.write(piece);
      this.#response.write(last, () => {
        this.#response.off('close', resolve);
        resolve();
      });
      this.#response.uncork();
    });
    if (this.isGone) throw new ClientGone();
  }

  async writeAll(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of pieces) await this.write(piece);
  }

  end(bytes?: Uint8Array | string): void {
    this.#response.end(bytes);
  }

  /** Head, body and end. */
  send(status: number, headers: Readonly<Record<string, string>>, body: Uint8Array | string): void {
    const sizeBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
    if (this.begin(status, { ...headers, 'content-length': String(sizeBytes) })) this.end(body);
  }

  breakOff(): void {
    this.#response.destroy();
  }
}
