// What the lanes of a comparison take: stretches in which either of two devices may hold something else than zeros, as many together
// as are read at once.
import { handleOf } from '../device.js';
import type { BlockDevice, Extent } from '../index.js';
import { EXTENTS_KEYS, listingOf, nativeLists } from '../request/extents.js';

/** Bytes of a chunk: so few that they are still in a cache of the processor when they are compared. */
export const CHUNK = 1 << 18;
/** Stretches of a chunk at most. */
export const PIECES = 64;
export const SECTOR = 512;

/** A stretch that is data in one of the two, or in both. What is read for it begins with a sector. */
export interface Piece {
  /** Where reading begins. */
  readonly position: number;
  /** Bytes that are read. */
  readonly length: number;
  /** Those of them in front of the stretch, which were looked at before. */
  readonly lead: number;
  /** Where in the memory of its chunk it lies. */
  readonly offset: number;
  readonly isData: readonly [boolean, boolean];
}

/** Stretches that are read at once. */
export interface Chunk {
  /** In order; one at least. */
  readonly pieces: readonly Piece[];
  /** Bytes of all of them. */
  readonly length: number;
  /** Tells that all of them are data in both. */
  readonly isDense: boolean;
}

const BOTH = [true, true] as const;

/** Chunks of two devices, in order. Nothing of the devices is read for it. */
export class Chunks {
  readonly #runs: readonly [DataRuns, DataRuns];
  #at = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(one: BlockDevice, other: BlockDevice, signal: AbortSignal) {
    this.#runs = [new DataRuns(one, signal), new DataRuns(other, signal)];
  }

  /** The next one; undefined when there are none left. Lanes that ask at once get them in the order of their calls. */
  take(): Promise<Chunk | undefined> {
    const taken = this.#last.then(() => this.#take());
    this.#last = taken.catch(() => undefined);
    return taken;
  }

  async close(): Promise<void> {
    await this.#last;
    for (const runs of this.#runs) await runs.close();
  }

  async #take(): Promise<Chunk | undefined> {
    const [one, other] = this.#runs;
    const pieces: Piece[] = [];
    let filled = 0;
    let isDense = true;
    while (pieces.length < PIECES) {
      if (one.end <= this.#at) await one.reach(this.#at);
      if (other.end <= this.#at) await other.reach(this.#at);
      const from = Math.max(this.#at, Math.min(one.begin, other.begin));
      if (from === Infinity) break;
      const position = from - (from % SECTOR);
      const [inOne, inOther] = [one.begin <= from, other.begin <= from];
      const edge = Math.min(inOne ? one.end : one.begin, inOther ? other.end : other.begin, position + CHUNK);
      const length = edge - position;
      if (filled + length > CHUNK) break;
      pieces.push({ position, length, lead: from - position, offset: filled, isData: inOne && inOther ? BOTH : [inOne, inOther] });
      isDense &&= inOne && inOther;
      filled += length;
      this.#at = edge;
    }
    return pieces.length === 0 ? undefined : { pieces, length: filled, isDense };
  }
}

/** Where a device may hold something else than zeros, stretch by stretch. */
class DataRuns {
  /** The stretch; both Infinity when there is none left. */
  begin = 0;
  end = 0;
  readonly #lists: AsyncGenerator<Extent[], void>;
  /** What was listed, and how far it was taken: one by one by promises it would take as long as reading. */
  #listed: readonly Extent[] = [];
  #at = 0;
  /** An extent that was looked at and is not in the stretch. */
  #ahead: Extent | undefined;

  constructor(device: BlockDevice, signal: AbortSignal) {
    this.#lists = nativeLists(handleOf(device, 'compare'), listingOf({ signal }, EXTENTS_KEYS, device.size));
  }

  /** Goes on to the first stretch that ends behind `position`. */
  async reach(position: number): Promise<void> {
    while (this.end <= position) {
      const next = this.#ahead ?? this.#ready() ?? (await this.#take());
      this.#ahead = undefined;
      this.begin = next?.position ?? Infinity;
      this.end = next === undefined ? Infinity : next.position + next.length;
      // Extents that lie apart in their file are one stretch.
      while (this.end - this.begin < CHUNK) {
        const more = this.#ready() ?? (await this.#take());
        if (more?.position !== this.end) {
          this.#ahead = more;
          break;
        }
        this.end += more.length;
      }
    }
  }

  async close(): Promise<void> {
    await this.#lists.return();
  }

  /** The next extent of data, as far as they are listed. */
  #ready(): Extent | undefined {
    while (this.#at < this.#listed.length) {
      const extent = this.#listed[this.#at];
      this.#at += 1;
      if (extent?.type === 'data') return extent;
    }
    return undefined;
  }

  /** The next extent of data. */
  async #take(): Promise<Extent | undefined> {
    for (;;) {
      const { value, done } = await this.#lists.next();
      if (done === true) return undefined;
      this.#listed = value;
      this.#at = 0;
      const extent = this.#ready();
      if (extent !== undefined) return extent;
    }
  }
}
