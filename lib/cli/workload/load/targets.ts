// Targets: the files that jobs work on. Those that exist are the user's, and are written only where that was allowed; those that do
// not are made, filled with noise, and removed at the end.
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, statSync, truncateSync, writeSync, type Stats } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BlockDriver, type BlockDevice, type PartitionChoice, type Source } from '../../../index.js';
import { UsageError, withPath } from '../../support/failure.js';
import { mediumKind, sourceOf } from '../../support/source.js';
import { formatExact } from '../../support/units.js';
import { writes, type Job } from '../job/job.js';
import { resolveAmount } from '../job/units.js';
import { Random } from '../../support/random.js';
import { placeOf } from '../../demo/place.js';
import type { Region } from './work.js';

const DEFAULT_SIZE = 64 << 20;
const PIECE = 1 << 20;

/** The file of one thread of a job, and its part of it. */
export interface Target {
  path: string;
  region: Region;
}

export interface TargetOptions {
  /** Write jobs may change what the user has in a file. */
  overwrite: boolean;
  /** Refuse files that another process has locked. */
  lock: boolean;
  /** The partition of each file that jobs work on, and nothing outside of it; undefined: all of the file. */
  partition: PartitionChoice | undefined;
}

interface FileState {
  /** First byte of what jobs may touch: that of the partition, or 0. */
  start: number;
  /** Size of what is there; 0 for a file that is to be filled. */
  size: number;
  exists: boolean;
  /** Each thread makes it for itself, and it is gone with the thread. */
  isMedium: boolean;
  written: boolean;
  /** Bytes that it is made with. */
  wanted: number;
}

export class Targets {
  readonly #files = new Map<string, FileState>();
  readonly #driver = new BlockDriver({ minorCount: 4096 });
  readonly #guards: BlockDevice[] = [];
  readonly #options: TargetOptions;
  #made: string[] = [];
  #emptied: string[] = [];
  #folders: string[] = [];
  #disposed = false;
  readonly #onExit = (): void => this.dispose();

  constructor(options: TargetOptions) {
    this.#options = options;
    process.once('exit', this.#onExit);
  }

  /** Decides on the file of each thread of a job, without touching one. Throws where the job cannot work on it. */
  plan(job: Job): Target[] {
    const shared = job.filename === undefined ? undefined : fullName(job.filename, job.directory);
    const names = Array.from(
      { length: job.numjobs },
      (_, thread) => shared ?? path.join(this.#folder(job), `${safe(job.name)}.${thread}.0`),
    );
    return names.map((name) => ({ path: name, region: this.#region(job, name) }));
  }

  /** Makes what is to be made and locks what exists. `step` is called after each piece. */
  async prepare(step: () => Promise<void>): Promise<void> {
    for (const [name, file] of this.#files) {
      if (file.isMedium) continue;
      if (file.size === 0) await this.#make(name, file, step);
      else this.#guards.push(await this.#open(name, file));
    }
  }

  /** Bytes that `prepare` will write. */
  get bytesToMake(): number {
    return [...this.#files.values()].reduce((sum, { size, wanted }) => sum + (size === 0 ? wanted : 0), 0);
  }

  get paths(): string[] {
    return [...this.#files.keys()];
  }

  /** Lets go of the user's files and removes its own. Idempotent. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    process.removeListener('exit', this.#onExit);
    for (const guard of this.#guards) guard.closeSync();
    for (const file of this.#made) rmSync(file, { force: true });
    for (const file of this.#emptied) truncateSync(file);
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
    this.#driver.close();
  }

  /** A folder for the files that have no name: one in each directory. */
  #folder(job: Job): string {
    const parent = path.resolve(job.directory ?? os.tmpdir());
    const known = this.#folders.find((folder) => path.dirname(folder) === parent);
    if (known !== undefined) return known;
    const folder = mkdtempSync(path.join(parent, 'rumpblk-'));
    this.#folders.push(folder);
    return folder;
  }

  #region(job: Job, name: string): Region {
    const file = this.#files.get(name) ?? this.#look(name);
    this.#files.set(name, file);
    const bs = Math.max(job.bs.read, job.bs.write);
    const region = file.size > 0 || file.isMedium ? partOf(job, name, file) : makeRoom(job, name, file);
    if (region.length < bs) throw new UsageError(`job ${job.name}: ${formatExact(region.length)} of '${name}' are less than one bs`);
    if (writes(job)) this.#allowWrites(job, name, file);
    return region;
  }

  #look(name: string): FileState {
    const { partition } = this.#options;
    const kind = mediumKind(name);
    // An export is somebody's, as a file is.
    if (kind === 'nbd') return this.#found(sourceOf(name));
    if (kind !== undefined) return this.#lookAtMedium(name);
    const stats = statOf(name);
    const isEmpty = stats === undefined || (stats.isFile() && stats.size === 0);
    if (isEmpty && partition !== undefined) throw new UsageError(`--partition is of a disk, and '${name}' is yet to be made: give FILE`);
    if (isEmpty) return { start: 0, size: 0, exists: stats !== undefined, isMedium: false, written: false, wanted: 0 };
    return this.#found(name);
  }

  #found(source: Source): FileState {
    const { offset, size } = placeOf(this.#driver, source, this.#options.partition);
    return { start: offset, size, exists: true, isMedium: false, written: false, wanted: 0 };
  }

  #lookAtMedium(name: string): FileState {
    if (this.#options.partition !== undefined) throw new UsageError(`--partition is of a disk that is divided, and '${name}' is not`);
    const { size } = placeOf(this.#driver, sourceOf(name), undefined);
    return { start: 0, size, exists: true, isMedium: true, written: false, wanted: 0 };
  }

  #allowWrites(job: Job, name: string, file: FileState): void {
    if (file.size > 0 && !file.isMedium && !this.#options.overwrite) {
      throw new UsageError(`job ${job.name} would write over '${name}', which holds ${formatExact(file.size)}: --overwrite allows that`);
    }
    file.written = true;
  }

  /** The lock of the file, and on a block node the claim that keeps mounts out, for as long as the bench runs. */
  async #open(name: string, file: FileState): Promise<BlockDevice> {
    const minor = await this.#driver.register(sourceOf(name), { offset: file.start, size: file.size });
    return this.#driver.open(minor, { mode: file.written ? 'r+' : 'r', lock: this.#options.lock, access: 'pio' });
  }

  async #make(name: string, file: FileState, step: () => Promise<void>): Promise<void> {
    const fd = openSync(name, file.exists ? 'r+' : 'wx');
    if (file.exists) this.#emptied.push(name);
    else this.#made.push(name);
    try {
      const piece = Buffer.allocUnsafe(PIECE);
      new Random(1).fill(piece);
      for (let position = 0; position < file.wanted;) {
        position += writeSync(fd, piece, 0, Math.min(PIECE, file.wanted - position), position);
        await step();
      }
      fsyncSync(fd);
    } catch (error) {
      throw withPath(error, name);
    } finally {
      closeSync(fd);
    }
  }
}

/** A path from the root on, or a medium as it is. */
function fullName(name: string, directory = '.'): string {
  return mediumKind(name) === undefined ? path.resolve(directory, name) : name;
}

function statOf(name: string): Stats | undefined {
  try {
    return statSync(name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The part of a file that exists; positions of a job count from the start of the partition. */
function partOf(job: Job, name: string, { start: first, size: whole }: FileState): Region {
  const wanted = resolveAmount(job.offset, whole);
  const start = 'percent' in job.offset ? wanted - (wanted % Math.max(job.bs.read, job.bs.write)) : wanted;
  const length = job.size === undefined ? whole - start : resolveAmount(job.size, whole);
  if (start + length > whole || length < 0) {
    throw new UsageError(
      `job ${job.name} asks for ${formatExact(start + Math.max(0, length))} of '${name}', which holds ${formatExact(whole)}`,
    );
  }
  return { start: first + start, length };
}

/** The part of a file that is made for it. */
function makeRoom(job: Job, name: string, file: FileState): Region {
  const { offset, size = { bytes: DEFAULT_SIZE } } = job;
  if ('percent' in offset || 'percent' in size) throw new UsageError(`job ${job.name}: a share of '${name}', which is yet to be made`);
  file.wanted = Math.max(file.wanted, offset.bytes + size.bytes);
  return { start: offset.bytes, length: size.bytes };
}

function safe(name: string): string {
  return name.replace(/[^\w.-]/g, '_');
}
