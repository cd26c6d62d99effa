// Why FILE cannot be opened, or a request be made, in the words of the command line.
import { existsSync, readFileSync, statSync, type Stats } from 'node:fs';
import { BlockDeviceError, type BlockDevice } from '../../index.js';
import { withHint } from './failure.js';
import { mediumKind, mediumMeant } from './source.js';
import { formatExact, formatNumber } from './units.js';

/** A range of FILE, as given. */
interface Range {
  readonly offset?: number;
  readonly size?: number;
}

const SECTOR = 512;

/**
 * Adds to a failure of a registration why that cannot be one, or what was probably meant, if that can be found out. `mode` is how FILE
 * was to be opened.
 */
export function withRegisterHint(error: unknown, file: string, range: Range = {}, mode: 'r' | 'r+' = 'r'): unknown {
  if (!(error instanceof BlockDeviceError)) return error;
  const hint = hintOf(error, file, range, mode);
  return hint === undefined ? error : withHint(error, hint);
}

function hintOf({ code, syscall }: BlockDeviceError, file: string, range: Range, mode: 'r' | 'r+'): string | undefined {
  if (mediumKind(file) === 'nbd') return syscall === 'connect' ? connectHint(code, file) : undefined;
  if (code === 'ENOENT') return mediumMeant(file) ?? (mode === 'r+' ? `truncate -s 64M ${file} makes an empty image` : undefined);
  return code === 'EINVAL' && syscall === 'register' ? registerHint(file, range) : undefined;
}

/** Why a server of NBD was not reached. */
function connectHint(code: string, file: string): string | undefined {
  if (code === 'ECONNREFUSED') return 'no server listens there';
  if (code !== 'ENOENT') return undefined;
  const url = new URL(file);
  const socket = url.searchParams.get('socket');
  if (socket !== null && !existsSync(socket)) return `no socket ${socket}: is the server running?`;
  return `the server has no export '${decodeURIComponent(url.pathname.slice(1))}': nbdinfo --list shows those that it has`;
}

function registerHint(file: string, { offset = 0, size }: Range): string | undefined {
  if (mediumKind(file) !== undefined) return undefined;
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (stats.isDirectory()) return 'a directory, and neither an image nor a disk';
  if (stats.isFIFO() || stats.isSocket()) return 'a pipe, and neither an image nor a disk';
  const has = bytesOf(stats);
  if (has === undefined) return size === undefined ? 'it is no disk, or one that does not tell its size: --size gives it' : undefined;
  const noun = stats.isFile() ? 'the file' : 'the disk';
  if (offset > has) return `--offset ${formatExact(offset)}, but ${noun} has ${formatExact(has)}`;
  if (size === undefined || offset + size <= has) return undefined;
  const behind = offset === 0 ? '' : ` from --offset ${formatExact(offset)} on`;
  return `--size ${formatExact(size)}, but ${noun} has ${formatExact(has - offset)}${behind}`;
}

/** What a file or a disk holds; undefined where it does not tell. */
function bytesOf(stats: Stats): number | undefined {
  if (stats.isFile()) return stats.size;
  if (!stats.isBlockDevice()) return undefined;
  const [major, minor] = [(stats.rdev >> 8) & 0xfff, (stats.rdev & 0xff) | ((stats.rdev >> 12) & 0xfff00)];
  try {
    return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, 'utf8')) * SECTOR;
  } catch {
    return undefined; // another system, or a node of nothing: there is no more to say than the error does
  }
}

/** Has the device itself refuse a position that is beyond its end, and adds what it has. */
export async function pastTheEnd(device: BlockDevice, position: number, ask: () => Promise<unknown>): Promise<void> {
  try {
    await ask();
  } catch (error) {
    const isPast = error instanceof BlockDeviceError && error.code === 'EINVAL';
    throw isPast ? withHint(error, `position ${position} is beyond the end: the device has ${formatNumber(device.size, 'byte')}`) : error;
  }
}
