// What the lanes of a copy take, one after the other: chunks, and the holes of the source between them, which are not read.
import type { Source } from './ends.js';

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

/** A chunk of the source, or a hole of it as long as many. */
export interface Piece {
  readonly position: number;
  readonly length: number;
  readonly isHole: boolean;
  readonly reading: Turn;
  readonly writing: Turn;
}

/** Chunks in one piece of a hole: so many that few are needed, so few that progress is told. */
const MOST_CHUNKS = 1024;

/** Pieces of a copy, in order. Chunks begin at multiples of their size; a hole that does not cover one is read like data. */
export class Pieces {
  readonly #reads = new Turns();
  readonly #writes = new Turns();
  readonly #source: Pick<Source, 'nextData'>;
  readonly #size: number;
  readonly #total: number;
  #next = 0;
  /** What the source has told: nothing but zeros before `begin`, and then data. */
  #data = { begin: 0, end: 0 };
  #isOver = false;
  #last: Promise<unknown> = Promise.resolve();

  /** `source`: without `nextData` all of it is data. */
  constructor(source: Pick<Source, 'nextData'>, size: number, total: number) {
    this.#source = source;
    this.#size = size;
    this.#total = total;
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
    if (this.#isOver || this.#next >= this.#total) return undefined;
    const position = this.#next;
    const hole = await this.#holeAt(position);
    const length = hole > 0 ? hole : Math.min(this.#size, this.#total - position);
    this.#next += length;
    return { position, length, isHole: hole > 0, reading: this.#reads.take(), writing: this.#writes.take() };
  }

  /** Bytes of the hole at `position`, in whole chunks. */
  async #holeAt(position: number): Promise<number> {
    if (this.#source.nextData === undefined) return 0;
    if (position >= this.#data.end) this.#data = await this.#source.nextData(position);
    const begin = Math.min(this.#data.begin, this.#total);
    const room = Math.min(begin - position, this.#size * MOST_CHUNKS);
    return position + room === this.#total ? Math.max(0, room) : Math.floor(Math.max(0, room) / this.#size) * this.#size;
  }
}
