// Opens the FILE that every command works on, and knows when two names or descriptors mean the same one.
import { fstatSync, statSync, type BigIntStats } from 'node:fs';
import { InvalidArgumentError, Option, type Command } from '../bundled/commander.js';
import { BlockDeviceError, BlockDriver, type BlockDevice, type ImageFormat, type OpenOptions, type RegisterOptions } from '../../index.js';
import { contentOfDevice } from '../../device-content.js';
import { withRegisterHint } from './diagnosis.js';
import { withHint } from './failure.js';
import { imageAdvice } from './nature.js';
import { useAndClose } from './scope.js';
import { mediumKind, sourceOf } from './source.js';
import { parseBytes } from './units.js';

/** Options that choose the device: a range of FILE, and how to reach it. */
export interface ImageOptions {
  offset?: number;
  size?: number;
  sectorSize?: number;
  format?: ImageFormat;
  access: 'auto' | 'mmap' | 'pio';
  lock: boolean;
  partition?: string | number;
}

/** Declares the options of `ImageOptions` on a command. */
export function addImageOptions(command: Command): Command {
  return command
    .option('--offset <bytes>', 'where in FILE the device begins', parseBytes)
    .option('--size <bytes>', 'size of the device (default: to the end of FILE)', parseBytes)
    .option('--sector-size <bytes>', 'what tables on FILE count in (default: what a disk says, 512 for a file)', parseBytes)
    .addOption(formatOption())
    .addOption(partitionOption())
    .addOption(accessOption())
    .option('--no-lock', 'work on FILE even when another process has it locked');
}

/** The option that says what FILE holds, or another file. */
export function formatOption(flag = '--format', file = 'FILE', otherwise = ''): Option {
  const what = `what ${file} holds; auto: what its content says${otherwise}`;
  return new Option(`${flag} <format>`, what).choices(['raw', 'qcow2', 'vhd', 'auto']);
}

/** The option that chooses a partition of FILE, or of another file. */
export function partitionOption(flag = '--partition', file = 'it'): Option {
  const what = `only this partition of ${file}: 2, p2, a, s1a, or the GUID or label of a GPT one`;
  return new Option(`${flag} <name>`, what).argParser(parsePartition);
}

/** The option that says how FILE is reached. */
export function accessOption(): Option {
  return new Option('--access <way>', 'how FILE is reached').choices(['auto', 'mmap', 'pio']).default('auto');
}

/** A partition as given: by its number, or whatever else names it. */
function parsePartition(text: string): string | number {
  if (text === '') throw new InvalidArgumentError('Give the name or the number of a partition.');
  return /^[0-9]+$/.test(text) ? Number(text) : text;
}

/** Registers and opens FILE on a driver of its own, runs `use`, closes both. Failures of `use` and of the close are all reported. */
export async function withImage<T>(
  file: string,
  options: ImageOptions,
  open: Pick<OpenOptions, 'mode' | 'cache'>,
  use: (device: BlockDevice, driver: BlockDriver) => Promise<T>,
): Promise<T> {
  const driver = driverOf(process.env);
  return useAndClose(driver, async () => {
    const device = await openImage(file, options, open, driver);
    return useAndClose(device, () => use(device, driver));
  });
}

/** A driver whose requests meet the faults of the plan that RUMPBLK_FAULTS names. */
export function driverOf({ RUMPBLK_FAULTS }: NodeJS.ProcessEnv): BlockDriver {
  return BlockDriver.fromEnv(RUMPBLK_FAULTS === undefined ? {} : { RUMPBLK_FAULTS });
}

/** Registers FILE on `driver`, and opens it. */
export async function openImage(
  file: string,
  options: ImageOptions,
  open: Pick<OpenOptions, 'mode' | 'cache'>,
  driver: BlockDriver,
): Promise<BlockDevice> {
  const disk = await registered(file, options, driver, open.mode);
  const minor = options.partition === undefined ? disk : await partitionOf(disk, options.partition, options, driver);
  return driver.open(minor, { ...open, access: options.access, lock: options.lock });
}

/** Registers a partition. Where it is looked for in the bytes of an image, the failure says what shows the disk in it. */
async function partitionOf(disk: number, partition: string | number, { lock }: ImageOptions, driver: BlockDriver): Promise<number> {
  try {
    return await driver.registerPartition(disk, partition);
  } catch (error) {
    if (!(error instanceof BlockDeviceError) || error.code !== 'ENXIO') throw error;
    const device = await driver.open(disk, { lock });
    const advice = await useAndClose(device, async () => imageAdvice(await contentOfDevice(device)));
    throw advice === undefined ? error : withHint(error, advice);
  }
}

async function registered(file: string, options: ImageOptions, driver: BlockDriver, mode: OpenOptions['mode']): Promise<number> {
  try {
    return await driver.register(sourceOf(file), rangeOf(options));
  } catch (error) {
    throw withRegisterHint(error, file, options, mode);
  }
}

function rangeOf({ offset, size, sectorSize, format }: ImageOptions): RegisterOptions {
  return {
    ...(offset !== undefined && { offset }),
    ...(size !== undefined && { size }),
    ...(sectorSize !== undefined && { sectorSize }),
    ...(format !== undefined && { format }),
  };
}

/** True when both name one file or device node: by path, or by number for an open descriptor. False where either cannot be told, and of media. */
export function isSameFile(one: string | number, other: string | number): boolean {
  const a = identify(one);
  const b = identify(other);
  if (a === undefined || b === undefined) return false;
  if (a.isBlockDevice() && b.isBlockDevice()) return a.rdev === b.rdev;
  return a.dev === b.dev && a.ino === b.ino;
}

function identify(file: string | number): BigIntStats | undefined {
  if (typeof file === 'string' && mediumKind(file) !== undefined) return undefined;
  try {
    return typeof file === 'number' ? fstatSync(file, { bigint: true }) : statSync(file, { bigint: true });
  } catch {
    return undefined; // whoever opens it next says why
  }
}
