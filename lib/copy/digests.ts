// What was read from the source, chunk by chunk, in little: 32 bytes each. What has none was a hole.
import { createHash } from 'node:crypto';

const ALGORITHM = 'sha256';
const ZEROS = Buffer.alloc(1 << 16);

function digestOf(data: Buffer): Buffer {
  return createHash(ALGORITHM).update(data).digest();
}

function isZero(data: Buffer): boolean {
  for (let at = 0; at < data.length; at += ZEROS.length) {
    const part = data.subarray(at, at + ZEROS.length);
    if (!part.equals(ZEROS.subarray(0, part.length))) return false;
  }
  return true;
}

/** By the position of the chunk. */
export class Digests {
  readonly #digests = new Map<number, Buffer>();

  set(position: number, data: Buffer): void {
    this.#digests.set(position, digestOf(data));
  }

  matches(position: number, data: Buffer): boolean {
    return this.#digests.get(position)?.equals(digestOf(data)) ?? isZero(data);
  }
}
