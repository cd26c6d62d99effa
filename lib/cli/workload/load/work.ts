// Work: what a thread asks for next, and when it has done enough. No I/O here, and nothing that waits.
import { isRandom, reads, writes, type Job } from '../job/job.js';
import { resolveAmount } from '../job/units.js';
import { Random } from '../../support/random.js';
import { InOrder, randomPositions, type Positions } from './positions.js';

/** The part of the file that a thread works on, in bytes. */
export interface Region {
  start: number;
  length: number;
}

interface Side {
  bs: number;
  positions: Positions;
}

export class Work {
  /** The request that `next` has chosen. */
  write = false;
  position = 0;
  length = 0;

  readonly #read: Side;
  readonly #write: Side;
  readonly #mix: Random;
  readonly #start: number;
  /** Writes happen when a draw from 0 to 99 is not below this. */
  readonly #readShare: number;
  /** Bytes of one pass over the region. */
  readonly #pass: number;
  /** Bytes in all. */
  readonly #total: number;
  readonly #milliseconds: number;
  #passed = 0;
  #moved = 0;

  constructor(job: Job, region: Region, seed: number) {
    const random = new Random(seed);
    this.#mix = new Random(seed ^ 0x6d69_7865);
    this.#start = region.start;
    const sides = sidesOf(job, region.length, random);
    this.#read = sides.read;
    this.#write = sides.write;
    this.#readShare = !writes(job) ? 100 : !reads(job) ? 0 : job.rwmixread;
    this.#pass = passOf(job, region);
    this.#total = bytesOf(job, region);
    this.#milliseconds = job.runtime === undefined ? Infinity : job.runtime * 1000;
  }

  /** Chooses the next request; false when there is none. `elapsed` in milliseconds. */
  next(elapsed: number): boolean {
    if (elapsed >= this.#milliseconds) return false;
    this.write = this.#readShare === 0 || (this.#readShare !== 100 && this.#mix.below(100) >= this.#readShare);
    const side = this.write ? this.#write : this.#read;
    if (this.#moved + side.bs > this.#total) return false;
    if (this.#passed + side.bs > this.#pass) this.#rewind();
    this.length = side.bs;
    this.position = this.#start + side.positions.next() * side.bs;
    this.#moved += side.bs;
    this.#passed += side.bs;
    return true;
  }

  #rewind(): void {
    this.#passed = 0;
    this.#read.positions.rewind();
    this.#write.positions.rewind();
  }
}

/** Bytes of one pass over the region. */
function passOf(job: Job, region: Region): number {
  const bs = !writes(job) ? job.bs.read : !reads(job) ? job.bs.write : Math.min(job.bs.read, job.bs.write);
  return Math.floor(region.length / bs) * bs;
}

/** Bytes that a thread moves in all; infinite where only time ends it. */
export function bytesOf(job: Job, region: Region): number {
  if (job.timeBased) return Infinity;
  return (job.ioSize === undefined ? passOf(job, region) : resolveAmount(job.ioSize, region.length)) * job.loops;
}

/** Reads and writes of one size share a map of what was there in this pass; in order, each has its own place. */
function sidesOf(job: Job, length: number, random: Random): { read: Side; write: Side } {
  const { read, write } = job.bs;
  const blocks = (bs: number): number => Math.floor(length / bs);
  if (!isRandom(job)) {
    return { read: { bs: read, positions: new InOrder(blocks(read)) }, write: { bs: write, positions: new InOrder(blocks(write)) } };
  }
  if (read === write) {
    const positions = randomPositions(blocks(read), random, !job.norandommap);
    return { read: { bs: read, positions }, write: { bs: write, positions } };
  }
  return {
    read: { bs: read, positions: randomPositions(blocks(read), random, false) },
    write: { bs: write, positions: randomPositions(blocks(write), random, false) },
  };
}
