// What was read from the source, chunk by chunk, in little: 32 bytes each. What has none was zeros, and not read.
import { createHash } from 'node:crypto';
import { isZero } from '../request/zeros.js';

const ALGORITHM = 'sha256';

function digestOf(data: Buffer): Buffer {
  return createHash(ALGORITHM).update(data).digest();
}

/** A chunk that was read; without a digest, what lies between two of them. */
export interface Digested {
  readonly position: number;
  readonly length: number;
  readonly digest: Buffer | undefined;
}

export class Digests {
  readonly #digested: Digested[] = [];

  add(position: number, data: Buffer): void {
    if (data.length > 0) this.#digested.push({ position, length: data.length, digest: digestOf(data) });
  }

  /** All of [0, total), in order. */
  *list(total: number): Generator<Digested, undefined> {
    let end = 0;
    // Lanes add theirs as they come.
    for (const one of this.#digested.sort((a, b) => a.position - b.position)) {
      if (one.position > end) yield { position: end, length: one.position - end, digest: undefined };
      yield one;
      end = one.position + one.length;
    }
    if (end < total) yield { position: end, length: total - end, digest: undefined };
    return undefined;
  }
}

/** Tells whether `data` is what was read, or zeros where nothing was. */
export function matches(digest: Buffer | undefined, data: Buffer): boolean {
  return digest?.equals(digestOf(data)) ?? isZero(data);
}
