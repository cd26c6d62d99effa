// A workload that knows what it wrote: blocks of 4 KiB, each with its number and its generation all over, written by batches of
// random ones. Whoever reads the disk later can be asked whether anything acknowledged is missing.
const BLOCK = 4096;
const DEPTH = 32;
const SECTOR = 512;

/** Numbers from 0 to 1, the same for a seed. */
function randomFrom(seed) {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export class Stamped {
  #ops;
  #random;
  #batch;
  #arena;
  /** The generations that each block may have: the last that was acknowledged, and those behind it that were not. */
  #may;
  /** The same for a disk that has lost what was neither flushed nor written with FUA. */
  #durable;
  #generation = 0;
  /** Writes that were acknowledged, and that were not. */
  acknowledged = 0;
  unknown = 0;

  /** @param {{ BATCH_READ: number, BATCH_WRITE: number }} ops */
  constructor(device, ops, { bytes = device.size, seed = 1 } = {}) {
    this.#ops = ops;
    this.#random = randomFrom(seed);
    this.#may = Array.from({ length: Math.floor(bytes / BLOCK) }, () => [0]);
    this.#durable = [...this.#may];
    this.use(device);
  }

  /** Goes on with another open of the same disk. */
  use(device) {
    this.#batch = device.createBatch({ depth: DEPTH, arena: DEPTH * BLOCK });
    const { buffer, byteOffset, length } = this.#batch.arena;
    this.#arena = Buffer.from(buffer, byteOffset, length);
  }

  get blocks() {
    return this.#may.length;
  }

  /** Writes a batch of blocks, no two of them the same. @returns {Promise<number[]>} the errno of each that failed */
  async writeSome({ fua = false } = {}) {
    const batch = this.#batch;
    const chosen = new Set();
    while (chosen.size < DEPTH) chosen.add(Math.floor(this.#random() * this.blocks));
    this.#generation += 1;
    for (const [index, block] of [...chosen].entries()) {
      this.#fill(index, block, this.#ops.BATCH_WRITE);
      batch.fua[index] = fua ? 1 : 0;
      stamp(this.#arena, index * BLOCK, block, this.#generation);
    }
    await batch.run(DEPTH);
    const failed = [];
    for (const [index, block] of [...chosen].entries()) {
      const error = batch.error[index];
      this.#note(block, error === 0, fua);
      if (error !== 0) failed.push(error);
    }
    this.acknowledged += DEPTH - failed.length;
    this.unknown += failed.length;
    return failed;
  }

  #note(block, done, fua) {
    const own = [this.#generation];
    this.#may[block] = done ? own : [...this.#may[block], ...own];
    this.#durable[block] = done && fua ? own : [...this.#durable[block], ...own];
  }

  /** All that was acknowledged is durable now. */
  flushed() {
    this.#durable = [...this.#may];
  }

  /** The disk may have lost what was not durable. */
  crashed() {
    this.#may = [...this.#durable];
  }

  #fill(index, block, op) {
    const batch = this.#batch;
    batch.op[index] = op;
    batch.blkno[index] = (block * BLOCK) / SECTOR;
    batch.bcount[index] = BLOCK;
    batch.offset[index] = index * BLOCK;
  }

  /** Reads all blocks by batches. Throws on the first that has not what it may have. */
  async verify() {
    const batch = this.#batch;
    for (let first = 0; first < this.blocks; first += DEPTH) {
      const count = Math.min(DEPTH, this.blocks - first);
      this.#arena.fill(0xee);
      for (let index = 0; index < count; index += 1) {
        this.#fill(index, first + index, this.#ops.BATCH_READ);
        batch.fua[index] = 0;
      }
      const succeeded = await batch.run(count);
      if (succeeded !== count) throw new Error(`${count - succeeded} reads failed: ${[...batch.error.subarray(0, count)]}`);
      for (let index = 0; index < count; index += 1) this.#judge(this.#arena, index * BLOCK, first + index);
    }
  }

  /** The same for a file that somebody else has read the disk into. `bytes`: all of it. */
  verifyBytes(bytes) {
    for (let block = 0; block < this.blocks; block += 1) this.#judge(bytes, block * BLOCK, block);
  }

  #judge(bytes, at, block) {
    const right = this.#may[block].some((generation) => isStamped(bytes, at, block, generation));
    if (right) return;
    const found = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
    throw new Error(`block ${block} has ${found}, and may have generations ${this.#may[block]}`);
  }
}

/** Generation 0 is a block of zeros. */
function stamp(bytes, at, block, generation) {
  bytes.fill(0, at, at + BLOCK);
  if (generation === 0) return;
  bytes.writeUInt32LE(block + 1, at);
  bytes.writeUInt32LE(generation, at + 4);
  for (let filled = 8; filled < BLOCK; filled *= 2) bytes.copyWithin(at + filled, at, at + filled);
}

function isStamped(bytes, at, block, generation) {
  const expected = Buffer.alloc(BLOCK);
  stamp(expected, 0, block, generation);
  return expected.equals(bytes.subarray(at, at + BLOCK));
}
