// ByteReader: bytes that come in pieces of any size, asked for by number or by line. Memory grows with what has come, never with what a
// log says will come.

import { isUint8Array } from 'node:util/types';
import { isIterable, iteratorOf } from '../arguments/iterables.js';
import { invalidArgType } from '../errors.js';

/** Source of the bytes of a log: a stream of Node.js, an array of buffers, or any other iterable of buffers. */
export type ByteSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

const NEWLINE = 0x0a;

export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array, undefined> | Iterator<Uint8Array, undefined>;
  /** What has come and was not asked for yet. */
  #rest: Uint8Array = new Uint8Array();
  #hasEnded = false;

  /** @throws {TypeError} it is no iterable, or one of numbers */
  constructor(source: ByteSource) {
    if (!isIterable(source)) throw invalidArgType('source', 'an iterable of Uint8Array', source);
    this.#source = iteratorOf(source) as AsyncIterator<Uint8Array, undefined> | Iterator<Uint8Array, undefined>;
  }

  /** Gives the next `size` bytes, or all there are where the end comes before. The memory may be that of the source. */
  async take(size: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for (let left = size; left > 0;) {
      if (this.#rest.length === 0 && !(await this.#next())) break;
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      pieces.push(piece);
    }
    return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
  }

  /** Looks at the next bytes without taking them: `size`, or as many as there are. */
  async peek(size: number): Promise<Uint8Array> {
    const taken = await this.take(size);
    this.#rest = Buffer.concat([taken, this.#rest]);
    return taken;
  }

  /** Gives the next line without its newline, and whether it had one; undefined at the end. `tooLong`: the error of a line over `most` bytes. */
  async line(most: number, tooLong: () => Error): Promise<{ bytes: Uint8Array; isWhole: boolean } | undefined> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      if (this.#rest.length === 0 && !(await this.#next())) break;
      const end = this.#rest.indexOf(NEWLINE);
      const piece = this.#rest.subarray(0, end < 0 ? this.#rest.length : end);
      pieces.push(piece);
      size += piece.length;
      if (size > most) throw tooLong();
      this.#rest = this.#rest.subarray(end < 0 ? piece.length : end + 1);
      if (end >= 0) return { bytes: joined(pieces), isWhole: true };
    }
    return pieces.length === 0 ? undefined : { bytes: joined(pieces), isWhole: false };
  }

  /** Lets go of what the bytes come from; to be called once, also behind a failure. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #next(): Promise<boolean> {
    while (!this.#hasEnded) {
      const next = await this.#source.next();
      if (next.done === true) {
        this.#hasEnded = true;
      } else if (!isUint8Array(next.value)) {
        throw invalidArgType('source', 'an iterable of Uint8Array', next.value);
      } else if (next.value.length > 0) {
        this.#rest = next.value;
        return true;
      }
    }
    return false;
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
}
