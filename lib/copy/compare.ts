// compareDevices(): whether two devices hold the same. What is zeros in both, as their extents tell, is never read; what is data in
// one alone is read there, and has to be zeros. The shorter one goes on in zeros.
import { constants } from 'node:os';
import { BlockDeviceError, type Batch, type BlockDevice } from '../index.js';
import { firstNonZero } from '../request/zeros.js';
import { CHUNK, Chunks, PIECES, SECTOR, type Chunk, type Piece } from './compare-chunks.js';

/** Chunks under way at once; with two of them each, and nothing else in memory. */
const LANES = 4;
/** A difference is looked for in steps of so many bytes, and then byte by byte. */
const STEP = 4096;

/** How a comparison is made. */
export interface ComparisonOptions {
  /** Is told up to where the two were looked at, and how far that goes; what it throws ends the comparison. */
  readonly onProgress?: (bytes: number, total: number) => void;
  /** Ends the comparison early: it rejects with the reason. */
  readonly signal?: AbortSignal;
}

/** The first byte that differs. */
export interface Difference {
  readonly position: number;
  /** What each of the two has there; undefined behind its end, where the other one is not zero. */
  readonly bytes: readonly [number | undefined, number | undefined];
}

/** What came of a comparison. */
export interface Comparison {
  /** Undefined when they hold the same. */
  readonly difference: Difference | undefined;
  /** Bytes that were read, of both. */
  readonly bytesRead: number;
}

/** Compares two devices. What is read from one while somebody writes it may differ or not. */
export async function compareDevices(one: BlockDevice, other: BlockDevice, options: ComparisonOptions = {}): Promise<Comparison> {
  const { signal } = options;
  signal?.throwIfAborted();
  const run = new Run([one, other], options);
  const stop = (): void => run.control.abort(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  const chunks = new Chunks(one, other, run.control.signal);
  try {
    await Promise.all(Array.from({ length: LANES }, () => run.lane(chunks)));
    run.control.signal.throwIfAborted();
    return run.end();
  } finally {
    signal?.removeEventListener('abort', stop);
    await chunks.close();
  }
}

/** What the lanes of a comparison share. The first failure ends all of them. */
class Run {
  readonly control = new AbortController();
  readonly #devices: readonly [BlockDevice, BlockDevice];
  readonly #total: number;
  readonly #onProgress: ComparisonOptions['onProgress'];
  #difference: Difference | undefined;
  #bytesRead = 0;
  #reached = 0;

  constructor(devices: readonly [BlockDevice, BlockDevice], { onProgress }: ComparisonOptions) {
    this.#devices = devices;
    this.#total = Math.max(devices[0].size, devices[1].size);
    this.#onProgress = onProgress;
  }

  /** Takes chunks until there are none left or an earlier one differs. */
  async lane(chunks: Chunks): Promise<void> {
    const sides: Side[] = [];
    const { signal } = this.control;
    try {
      const [one, other] = [new Side(this.#devices[0], 0), new Side(this.#devices[1], 1)];
      sides.push(one, other);
      for (let chunk = await chunks.take(); chunk !== undefined; chunk = await chunks.take()) {
        signal.throwIfAborted();
        const { pieces } = chunk;
        const [first, last] = [pieces[0] as Piece, pieces.at(-1) as Piece];
        // Those that were taken earlier go on: one of them may differ further in front.
        if (first.position >= this.#limit) return;
        const read = await Promise.all([one.read(pieces, signal), other.read(pieces, signal)]);
        this.#bytesRead += read[0] + read[1];
        this.#compare(chunk, one.memory, other.memory);
        this.#reached = Math.max(this.#reached, last.position + last.length);
        this.#onProgress?.(this.#reached, this.#total);
      }
    } catch (error) {
      this.control.abort(error);
    } finally {
      for (const side of sides) side.end();
    }
  }

  end(): Comparison {
    if (this.#difference === undefined) this.#onProgress?.(this.#total, this.#total);
    return { difference: this.#difference, bytesRead: this.#bytesRead };
  }

  /** Where the first difference is, as far as is known. */
  get #limit(): number {
    return this.#difference?.position ?? Infinity;
  }

  #compare({ pieces, length, isDense }: Chunk, one: Buffer, other: Buffer): void {
    // Most are alike: one look at all of it.
    if (isDense && one.compare(other, 0, length, 0, length) === 0) return;
    for (const piece of pieces) {
      const { lead, isData } = piece;
      const [position, offset] = [piece.position + lead, piece.offset + lead];
      const [left, right] = [one, other].map((memory, side) =>
        isData[side] === true ? memory.subarray(offset, piece.offset + piece.length) : undefined,
      );
      const at = left !== undefined && right !== undefined ? firstDifference(left, right) : firstNonZero(left ?? right ?? Buffer.alloc(0));
      if (at < 0) continue;
      if (position + at < this.#limit)
        this.#difference = { position: position + at, bytes: this.#bytesAt(position + at, left?.[at], right?.[at]) };
      return;
    }
  }

  /** The bytes there: what was read, the zero of a hole, or nothing. */
  #bytesAt(position: number, ...read: readonly [number | undefined, number | undefined]): Difference['bytes'] {
    const byteOf = (side: 0 | 1): number | undefined => (position < this.#devices[side].size ? (read[side] ?? 0) : undefined);
    return [byteOf(0), byteOf(1)];
  }
}

/** What a lane reads of one of the two. */
class Side {
  /** The bytes of the pieces that are data here, each at its offset. */
  readonly memory: Buffer;
  readonly #device: BlockDevice;
  readonly #side: 0 | 1;
  readonly #batch: Batch;

  constructor(device: BlockDevice, side: 0 | 1) {
    this.#device = device;
    this.#side = side;
    this.#batch = device.createBatch({ depth: PIECES, arena: CHUNK });
    const { buffer, byteOffset, byteLength } = this.#batch.arena;
    this.memory = Buffer.from(buffer, byteOffset, byteLength);
  }

  /** Reads what of the pieces is data here. -> bytes. */
  async read(pieces: readonly Piece[], signal: AbortSignal): Promise<number> {
    const { blkno, bcount, offset } = this.#batch;
    let count = 0;
    let bytes = 0;
    for (const piece of pieces) {
      if (!piece.isData[this.#side]) continue;
      blkno[count] = piece.position / SECTOR;
      bcount[count] = piece.length;
      offset[count] = piece.offset;
      bytes += piece.length;
      count += 1;
    }
    if (count > 0) await this.#batch.run(count, { signal });
    for (let entry = 0; entry < count; entry += 1) this.#requireWhole(entry);
    return bytes;
  }

  end(): void {
    this.#batch[Symbol.dispose]();
  }

  /** Throws unless an entry has read all that it was to. */
  #requireWhole(entry: number): void {
    const { error, resid, bcount, blkno } = this.#batch;
    const [errno = 0, left = 0] = [error[entry], resid[entry]];
    if (errno === 0 && left === 0) return;
    throw new BlockDeviceError({
      // Less than was asked for: it lost its end since its extents were listed.
      errno: errno === 0 ? -constants.errno.EIO : errno,
      syscall: 'read',
      path: this.#device.path,
      minor: this.#device.minor,
      blkno: blkno[entry] ?? 0,
      bytesTransferred: (bcount[entry] ?? 0) - left,
    });
  }
}

/** Index of the first byte that differs, or -1, of two buffers of one length. */
function firstDifference(one: Buffer, other: Buffer): number {
  if (one.equals(other)) return -1;
  let at = 0;
  while (one.subarray(at, at + STEP).equals(other.subarray(at, at + STEP))) at += STEP;
  while (one[at] === other[at]) at += 1;
  return at;
}
