// The image a bench works on: a temporary one whose content is known byte by byte, or a given one that is only read.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BlockDriver, type PartitionChoice } from '../../index.js';
import { fileSystemOf } from './file-system.js';
import { placeOf } from './place.js';
import { Random } from './random.js';

const PIECE = 1 << 20;

export class BenchImage {
  readonly path: string;
  readonly fileSystem: string;
  /** The bytes of the file that the bench works on. */
  readonly range: { readonly offset: number; readonly size?: number };
  readonly #directory: string | undefined;
  readonly #mirror: Buffer | undefined;
  readonly #fd: number;
  #disposed = false;
  readonly #onExit = (): void => this.dispose();

  private constructor(file: string, fd: number, range: BenchImage['range'], directory?: string, mirror?: Buffer) {
    this.path = file;
    this.range = range;
    this.#fd = fd;
    this.#directory = directory;
    this.#mirror = mirror;
    this.fileSystem = fileSystemOf(file);
    process.once('exit', this.#onExit);
  }

  /** Makes an image of noise in a new folder. Both are gone after `dispose`, and when the process exits without it. */
  static create(parent: string | undefined, size: number, seed: number): BenchImage {
    const mirror = Buffer.allocUnsafe(size);
    new Random(seed).fill(mirror);
    const directory = mkdtempSync(path.join(parent ?? os.tmpdir(), 'rumpblk-'));
    try {
      const file = path.join(directory, 'disk.img');
      const fd = openSync(file, 'wx+');
      fillFile(fd, mirror);
      return new BenchImage(file, fd, { offset: 0 }, directory, mirror);
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Takes an image that exists, or a partition of it; nothing writes to it. */
  static existing(file: string, partition?: PartitionChoice): BenchImage {
    const range = partition === undefined ? { offset: 0 } : rangeOf(file, partition);
    return new BenchImage(file, openSync(file, 'r'), range);
  }

  /** True for a partition. */
  get isPart(): boolean {
    return this.range.size !== undefined;
  }

  /** True for a temporary image: writes are part of the bench. */
  get writable(): boolean {
    return this.#mirror !== undefined;
  }

  /** A descriptor of node:fs on the image: the other way to its bytes. */
  get fd(): number {
    return this.#fd;
  }

  /** What `[position, position + length)` of the file must hold. Valid until the next call. */
  expected(position: number, length: number): Buffer {
    if (this.#mirror !== undefined) return this.#mirror.subarray(position, position + length);
    const data = Buffer.allocUnsafe(length);
    return data.subarray(0, readSync(this.#fd, data, 0, length, position));
  }

  /** Remembers that `data` was written at `position` of the file. */
  store(position: number, data: Uint8Array): void {
    this.#mirror?.set(data, position);
  }

  /** Reads the whole file with node:fs and gives the sectors that are not as they must be. A given image has nothing to compare with: 0. */
  countWrongSectors(): number {
    const mirror = this.#mirror;
    if (mirror === undefined) return 0;
    const piece = Buffer.allocUnsafe(PIECE);
    let wrong = 0;
    for (let position = 0; position < mirror.byteLength; position += PIECE) {
      const length = readSync(this.#fd, piece, 0, PIECE, position);
      const part = mirror.subarray(position, position + PIECE);
      if (length === part.byteLength && part.equals(piece.subarray(0, length))) continue;
      for (let at = 0; at < part.byteLength; at += 512) {
        if (!part.subarray(at, at + 512).equals(piece.subarray(at, Math.min(at + 512, length)))) wrong += 1;
      }
    }
    return wrong;
  }

  /** Closes the descriptor and removes what `create` made. Idempotent. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    process.removeListener('exit', this.#onExit);
    closeSync(this.#fd);
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
  }
}

function rangeOf(file: string, partition: PartitionChoice): BenchImage['range'] {
  const driver = new BlockDriver();
  try {
    return placeOf(driver, file, partition);
  } finally {
    driver.close();
  }
}

function fillFile(fd: number, content: Buffer): void {
  for (let position = 0; position < content.byteLength;) {
    position += writeSync(fd, content, position, Math.min(PIECE, content.byteLength - position), position);
  }
}
