// multipart/related on its way out (RFC 2387): heads and bytes of parts, one after another.
//
// Invariant: the boundary is drawn for each answer and long enough that no content has it by chance.

import type { Random } from '../../base/index.ts';
import type { Reply } from './reply.ts';

export class MultipartWriter {
  readonly #reply: Reply;
  readonly #boundary: string;

  constructor(reply: Reply, random: Random) {
    this.#reply = reply;
    this.#boundary = Buffer.from(random.bytes(18)).toString('hex');
  }

  /** The Content-Type of the whole. */
  typeOf(partType: string): string {
    return `multipart/related; type="${partType}"; boundary=${this.#boundary}`;
  }

  /** Head of the next part, with the first of its bytes where they are there already. */
  async part(headers: Readonly<Record<string, string>>, bytes?: Uint8Array): Promise<void> {
    await this.#reply.write(this.headOf(headers, bytes));
  }

  /** The same, for whoever writes it. */
  headOf(headers: Readonly<Record<string, string>>, bytes?: Uint8Array): Uint8Array {
    let head = `\r\n--${this.#boundary}\r\n`;
    for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
    const text = Buffer.from(`${head}\r\n`, 'latin1');
    return bytes === undefined ? text : Buffer.concat([text, bytes]);
  }

  end(): void {
    this.#reply.end(`\r\n--${this.#boundary}--\r\n`);
  }
}
