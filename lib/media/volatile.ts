// Media without a host file: memory, and the null medium that shows what the layers above cost by themselves.
import { keysOf } from '../arguments/known-keys.js';
import { bytes, requireOptions, sectorSizeOf, text } from '../arguments/validate.js';
import { fromFailure, isFailure } from '../errors.js';
import { binding } from '../native/binding.js';
import type { Position } from '../request/transfer.js';
import { MediumHandle, type Medium } from './medium.js';

/** Options of {@link memory}. */
export interface MemoryOptions {
  /** Bytes of the disk. */
  size: Position;
  /** Bytes of the sectors that partition tables on it count in, a power of two from 512 to 65536; default 512. */
  sectorSize?: number;
  /** Names it where a host file has its path; default `memory:` and its size. */
  name?: string;
}

/** Options of {@link nullMedium}. */
export interface NullMediumOptions {
  /** Bytes of the disk. */
  size: Position;
}

const SIZE_WORDS = { bytes: "'size'", length: "'size'", capacity: "'size'" } as const;
const MEMORY_KEYS = keysOf<MemoryOptions>(
  { size: true, sectorSize: true, name: true },
  { ...SIZE_WORDS, path: "'name'", label: "'name'", blockSize: "'sectorSize'" },
);
const NULL_KEYS = keysOf<NullMediumOptions>({ size: true }, { ...SIZE_WORDS, sectorSize: 'that of register()' });

const DEV_BSIZE = 512;

/**
 * Makes a disk in memory, which holds zeros. It costs what is written to it, page by page, however large it is; nothing of it
 * outlives the process.
 *
 * @param options `size` in bytes; `sectorSize`, default 512; `name`, default `memory:` and its size
 * @returns what `open()`, `register()` and `copy()` take in place of a path
 * @throws {BlockDeviceError} ENOMEM more than there is address space for
 *
 * @example
 * const disk = memory({ size: 64 * 1024 * 1024 });
 * await using device = await open(disk, { mode: 'r+' });
 * await device.write(Buffer.from('hello'), 4096);
 */
export function memory(options: MemoryOptions): Medium {
  requireOptions(options, 'options', MEMORY_KEYS);
  const { size: given, sectorSize, name } = options;
  const size = bytes(given, 'options.size');
  const sector = sectorSize === undefined ? DEV_BSIZE : sectorSizeOf(sectorSize, 'options.sectorSize');
  const called = name === undefined ? `memory:${size}` : text(name, 'options.name');
  const native = binding.memoryMedium(size, sector, Buffer.from(called));
  if (isFailure(native)) throw fromFailure(native, { path: called });
  return new MediumHandle(native, { kind: 'memory', name: called, size });
}

/**
 * Makes a disk without bytes: reads give zeros, writes vanish, and both are as fast as requests can be. Shows what the layers
 * above a medium cost by themselves.
 *
 * @param options `size` in bytes
 * @returns what `open()`, `register()` and `copy()` take in place of a path
 *
 * @example
 * using device = openSync(nullMedium({ size: 2 ** 40 }), { mode: 'r+' });
 * device.writeSync(Buffer.alloc(4096), 0);
 */
export function nullMedium(options: NullMediumOptions): Medium {
  requireOptions(options, 'options', NULL_KEYS);
  const size = bytes(options.size, 'options.size');
  const name = `null:${size}`;
  const native = binding.nullMedium(size, Buffer.from(name));
  if (isFailure(native)) throw fromFailure(native, { path: name });
  return new MediumHandle(native, { kind: 'null', name, size });
}
