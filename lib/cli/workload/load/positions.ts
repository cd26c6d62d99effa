// Where the requests go: one block after the other, or at random with or without a map of what was there already.
import type { Random } from '../../support/random.js';

/** Gives the block for each request of a kind, from 0 to `blocks` - 1. */
export interface Positions {
  next(): number;
  /** A new pass over the blocks begins. */
  rewind(): void;
}

export class InOrder implements Positions {
  #next = 0;

  constructor(private readonly blocks: number) {}

  next(): number {
    const block = this.#next;
    this.#next = block + 1 === this.blocks ? 0 : block + 1;
    return block;
  }

  rewind(): void {
    this.#next = 0;
  }
}

export class AtRandom implements Positions {
  constructor(
    private readonly blocks: number,
    private readonly random: Random,
  ) {}

  next(): number {
    if (this.blocks <= 2 ** 32) return this.random.below(this.blocks);
    return Math.floor(((this.random.below(2 ** 26) * 2 ** 27 + this.random.below(2 ** 27)) / 2 ** 53) * this.blocks);
  }

  rewind(): void {}
}

/** As many blocks as a map is kept of: 64 MiB of memory. */
const MAP_LIMIT = 1 << 24;

/** Every block once in a pass: a shuffle that is made as it is used. */
class EachOnce implements Positions {
  readonly #order: Uint32Array;
  #done = 0;

  constructor(
    blocks: number,
    private readonly random: Random,
  ) {
    this.#order = Uint32Array.from({ length: blocks }, (_, block) => block);
  }

  next(): number {
    const order = this.#order;
    if (this.#done === order.length) this.#done = 0;
    const at = this.#done;
    const pick = at + this.random.below(order.length - at);
    const block = order[pick] ?? 0;
    order[pick] = order[at] ?? 0;
    order[at] = block;
    this.#done += 1;
    return block;
  }

  rewind(): void {
    this.#done = 0;
  }
}

/** Random positions; each block once a pass unless `map` is false or there are too many blocks to remember. */
export function randomPositions(blocks: number, random: Random, map: boolean): Positions {
  return map && blocks <= MAP_LIMIT ? new EachOnce(blocks, random) : new AtRandom(blocks, random);
}
