// What a bench works on: a temporary image or a disk in memory, whose content is known byte by byte, or a given image that is only read.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BlockDriver, openSync as openDevice, type PartitionChoice, type Source } from '../../index.js';
import { UsageError } from '../support/failure.js';
import { mediumKind, sourceOf } from '../support/source.js';
import { fileSystemOf } from '../support/file-system.js';
import { placeOf } from './place.js';
import { Random } from '../support/random.js';

const PIECE = 1 << 20;
/** The content that is known is kept in memory, too. */
export const MAX_KNOWN = 1 << 30;

/** What an image is made of. */
interface Parts {
  readonly path: string;
  readonly source: Source;
  readonly range: BenchImage['range'];
  readonly writable: boolean;
  /** What it holds, where that is known. */
  readonly mirror?: Buffer;
  /** A descriptor of node:fs on it. */
  readonly fd?: number;
  /** The other way to its bytes than the devices of the bench. */
  read(data: Buffer, position: number): number;
  dispose(): void;
}

export class BenchImage {
  readonly path: string;
  /** What is registered. */
  readonly source: Source;
  readonly fileSystem: string;
  /** The bytes of the file that the bench works on. */
  readonly range: { readonly offset: number; readonly size?: number };
  /** Whether writes are part of the bench: nobody misses what is there. */
  readonly writable: boolean;
  /** A descriptor of node:fs on the image; undefined of a medium. */
  readonly fd: number | undefined;
  readonly #parts: Parts;
  #disposed = false;
  readonly #onExit = (): void => this.dispose();

  private constructor(parts: Parts) {
    this.path = parts.path;
    this.source = parts.source;
    this.range = parts.range;
    this.writable = parts.writable;
    this.fd = parts.fd;
    this.fileSystem = fileSystemOf(parts.path);
    this.#parts = parts;
    process.once('exit', this.#onExit);
  }

  /** Makes an image of noise in a new folder. Both are gone after `dispose`, and when the process exits without it. */
  static create(parent: string | undefined, size: number, seed: number): BenchImage {
    const mirror = noise(size, seed);
    const directory = mkdtempSync(path.join(parent ?? os.tmpdir(), 'rumpblk-'));
    const remove = (): void => rmSync(directory, { recursive: true, force: true });
    try {
      const file = path.join(directory, 'disk.img');
      const fd = openSync(file, 'wx+');
      fillFile(fd, mirror);
      return new BenchImage({
        ...partsOfFile(file, fd, { offset: 0 }),
        writable: true,
        mirror,
        dispose: () => {
          closeSync(fd);
          remove();
        },
      });
    } catch (error) {
      remove();
      throw error;
    }
  }

  /** Takes an image that exists, or a partition of it; nothing writes to it. A medium is made: memory with noise in it. */
  static existing(file: string, partition: PartitionChoice | undefined, seed: number): BenchImage {
    const source = sourceOf(file);
    const kind = mediumKind(file);
    const range = partition === undefined ? { offset: 0 } : rangeOf(source, partition);
    return new BenchImage(kind === undefined ? partsOfFile(file, openSync(file, 'r'), range) : partsOfMedium(file, source, kind, seed));
  }

  /** True for a partition. */
  get isPart(): boolean {
    return this.range.size !== undefined;
  }

  /** What `[position, position + length)` of the file must hold. Valid until the next call. */
  expected(position: number, length: number): Buffer {
    const { mirror } = this.#parts;
    if (mirror !== undefined) return mirror.subarray(position, position + length);
    const data = Buffer.allocUnsafe(length);
    return data.subarray(0, this.#parts.read(data, position));
  }

  /** Remembers that `data` was written at `position` of the file. */
  store(position: number, data: Uint8Array): void {
    this.#parts.mirror?.set(data, position);
  }

  /** Reads the whole of it by the other way and gives the sectors that are not as they must be. Where nothing is known, there is nothing to compare with: 0. */
  countWrongSectors(): number {
    const { mirror } = this.#parts;
    if (mirror === undefined) return 0;
    const piece = Buffer.allocUnsafe(PIECE);
    let wrong = 0;
    for (let position = 0; position < mirror.byteLength; position += PIECE) {
      const part = mirror.subarray(position, position + PIECE);
      const length = this.#parts.read(piece.subarray(0, part.byteLength), position);
      if (length === part.byteLength && part.equals(piece.subarray(0, length))) continue;
      for (let at = 0; at < part.byteLength; at += 512) {
        if (!part.subarray(at, at + 512).equals(piece.subarray(at, Math.min(at + 512, length)))) wrong += 1;
      }
    }
    return wrong;
  }

  /** Closes what was opened and removes what `create` made. Idempotent. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    process.removeListener('exit', this.#onExit);
    this.#parts.dispose();
  }
}

function noise(size: number, seed: number): Buffer {
  const content = Buffer.allocUnsafe(size);
  new Random(seed).fill(content);
  return content;
}

function partsOfFile(file: string, fd: number, range: BenchImage['range']): Parts {
  const read = (data: Buffer, position: number): number => readSync(fd, data, 0, data.byteLength, position);
  return { path: file, source: file, range, writable: false, fd, read, dispose: () => closeSync(fd) };
}

function partsOfMedium(name: string, source: Source, kind: 'memory' | 'null' | 'nbd', seed: number): Parts {
  // Beside the devices of the bench, which have locks.
  const device = openDevice(source, { mode: kind === 'nbd' ? 'r' : 'r+', lock: false });
  const parts: Parts = {
    path: name,
    source,
    range: { offset: 0 },
    writable: kind !== 'nbd',
    read: (data, position) => device.readSync(data, position),
    dispose: () => device.closeSync(),
  };
  // What was written to a null medium is forgotten; what an export holds is somebody's.
  if (kind !== 'memory') return parts;
  if (device.size > MAX_KNOWN) throw new UsageError(`'${name}': this bench keeps what it writes, so a disk in memory has 1 GiB at most`);
  const mirror = noise(device.size, seed);
  device.writeSync(mirror, 0);
  return { ...parts, mirror };
}

function rangeOf(source: Source, partition: PartitionChoice): BenchImage['range'] {
  const driver = new BlockDriver();
  try {
    return placeOf(driver, source, partition);
  } finally {
    driver.close();
  }
}

function fillFile(fd: number, content: Buffer): void {
  for (let position = 0; position < content.byteLength;) {
    position += writeSync(fd, content, position, Math.min(PIECE, content.byteLength - position), position);
  }
}
