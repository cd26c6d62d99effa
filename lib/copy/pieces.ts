// What the lanes of a copy take, one after the other: chunks of data, and what lies between them and is not read.
import type { Source, Stretch } from './ends.js';

/** What to wait for, and what to call when it is the next one's turn; calling it twice is fine. */
export interface Turn {
  readonly before: Promise<void>;
  readonly done: () => void;
}

/** Lets each of several lanes do something in the order in which they took their pieces. */
class Turns {
  #last = Promise.resolve();

  take(): Turn {
    const before = this.#last;
    let done = (): void => undefined;
    this.#last = new Promise((resolve) => (done = resolve));
    return { before, done };
  }
}

/** A chunk of the source, or zeros as long as many. */
export interface Piece extends Stretch {
  readonly reading: Turn;
  readonly writing: Turn;
}

/** Chunks in one piece of zeros: so many that few are needed, so few that progress is told. */
const MOST_CHUNKS = 1024;

/** Which bytes of the source a copy takes. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Pieces of a copy, in order. A chunk ends at a multiple of its size, where data ends, or where the copy does. */
export class Pieces {
  readonly #reads = new Turns();
  readonly #writes = new Turns();
  readonly #stretches: AsyncIterator<Stretch> | undefined;
  readonly #size: number;
  readonly #end: number;
  #next: number;
  /** The stretch that the next piece lies in, or an earlier one. */
  #stretch: Stretch = { position: 0, length: 0, isZero: false };
  #isOver = false;
  #last: Promise<unknown> = Promise.resolve();

  /** `source`: without `stretches` all of it is data. */
  constructor(source: Pick<Source, 'stretches'>, size: number, { from, to }: Range, signal: AbortSignal) {
    this.#stretches = source.stretches?.(from, to - from, signal);
    this.#size = size;
    this.#next = from;
    this.#end = to;
  }

  /** The next piece; undefined when there are none left. Lanes that ask at once get them in the order of their calls. */
  take(): Promise<Piece | undefined> {
    const taken = this.#last.then(() => this.#take());
    this.#last = taken.catch(() => undefined);
    return taken;
  }

  /** The source has ended: there are no more. */
  end(): void {
    this.#isOver = true;
  }

  async #take(): Promise<Piece | undefined> {
    if (this.#isOver || this.#next >= this.#end) return undefined;
    const position = this.#next;
    const { isZero, end } = await this.#at(position);
    const most = isZero ? this.#size * MOST_CHUNKS : this.#size - (position % this.#size);
    const length = Math.min(end - position, most);
    this.#next += length;
    return { position, length, isZero, reading: this.#reads.take(), writing: this.#writes.take() };
  }

  /** What lies at `position`, and where that ends. */
  async #at(position: number): Promise<{ isZero: boolean; end: number }> {
    while (this.#stretches !== undefined && position >= this.#stretch.position + this.#stretch.length) {
      const next = await this.#stretches.next();
      // What is not told of is data.
      this.#stretch = next.done === true ? { position, length: this.#end - position, isZero: false } : next.value;
    }
    if (this.#stretches === undefined) return { isZero: false, end: this.#end };
    return { isZero: this.#stretch.isZero, end: Math.min(this.#stretch.position + this.#stretch.length, this.#end) };
  }
}
