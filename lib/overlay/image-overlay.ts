// An overlay in a qcow2 image: the file that it is, made where there is none, and what it calls its base.
import { randomBytes } from 'node:crypto';
import { link, open, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { BlockDeviceError, fromFailure, isFailure, reword } from '../errors.js';
import { takePlace } from '../images.js';
import { exportNamed, isSameExport } from '../media/nbd-url.js';
import type { GivenSource } from '../media/source.js';
import { binding, WHY, type MadeInImage, type NativeDriver, type NativeOverlay, type OverInImage } from '../native/binding.js';

/** What an overlay in an image is made of. */
export interface ImageWanted {
  /** Asks native code for it, over the base. */
  readonly open: (...image: OverInImage) => Promise<MadeInImage>;
  /** What is told of images, for messages. */
  readonly driver: NativeDriver;
  /** Names the overlay. */
  readonly name: Uint8Array;
  /** -1: that of the base, or of the image. */
  readonly size: number;
  readonly blockSize: number;
  /** Path of the image. */
  readonly file: Uint8Array;
  /** What the base is; nothing of one that an image has no name for. */
  readonly base: Named | undefined;
  /** Names the base in errors. */
  readonly baseName: string;
}

/** What an image has a name for: a path, in the host's bytes, or the URL of an export of an NBD server. */
export type Named = Uint8Array | URL;

/** Where a failure says why, in words of its own. */
const WHY_AT = 8;
/** Subclusters of a cluster: each is a block. */
const BLOCKS = 32;
/** What a file system says that has no second names. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Opens the overlay in an image; makes the image where there is none: then all of it is there at once, under its name. */
export async function openInImage(wanted: ImageWanted): Promise<NativeOverlay> {
  if (!(await isThere(wanted.file))) {
    const made = await createImage(wanted);
    if (made !== undefined) return made;
    // Somebody else has made one meanwhile.
  }
  return overlayOf(wanted, wanted.file, await wanted.open(wanted.name, wanted.size, wanted.file, 0, true, await nameThere(wanted)));
}

/** What a source is to an image. */
export function namedOf(source: GivenSource): Named | undefined {
  if (source.native instanceof Uint8Array) return source.native;
  return source.kind === 'nbd' ? new URL(source.name) : undefined;
}

/** What the image that is there calls the export that it lies over, if that is the one that is wanted; of a path nothing, by which it is found. */
async function nameThere({ driver, file, base }: ImageWanted): Promise<Buffer> {
  if (!(base instanceof URL)) return Buffer.alloc(0);
  const info = await driver.overlayImageInfo(file);
  // Whoever opens it says what is wrong.
  const named = isFailure(info) ? undefined : exportNamed(info.backing.toString());
  return !isFailure(info) && named !== undefined && isSameExport(named, base) ? info.backing : Buffer.from(base.href);
}

/**
 * What an image is to call its base: a URL and an absolute path as they are, any other from the folder of the image.
 *
 * @param base what the base is; a path from the working directory
 * @param image path of the image
 */
export async function nameForBase(base: Named, image: Uint8Array): Promise<Buffer> {
  if (base instanceof URL) return Buffer.from(base.href);
  const given = latin1(base);
  if (path.isAbsolute(given)) return Buffer.from(base);
  try {
    // What ".." leads to depends on what links stand for.
    const [folder, home] = await Promise.all([realFolder(latin1(image)), realFolder(given)]);
    const name = path.relative(folder, path.join(home, path.basename(given)));
    // What stands before a colon would be a protocol.
    return Buffer.from(name.includes('/') ? name : `./${name}`, 'latin1');
  } catch {
    // Whoever opens them says what is missing.
    return Buffer.from(base);
  }
}

/** -> undefined: there is one by now. */
async function createImage(wanted: ImageWanted): Promise<NativeOverlay | undefined> {
  const { name, size, file, blockSize, base } = wanted;
  const backing = base === undefined ? Buffer.alloc(0) : await nameForBase(base, file);
  // Nobody finds one that is not whole, whatever ends this process meanwhile.
  const fresh = Buffer.concat([file, Buffer.from(`.${randomBytes(6).toString('hex')}`)]);
  takePlace(fresh);
  try {
    const made = await overlayOf(wanted, file, await wanted.open(name, size, fresh, Math.log2(blockSize * BLOCKS), true, backing));
    try {
      if (!(await giveName(fresh, file))) {
        binding.overlayRelease(made.medium);
        return undefined;
      }
      return made;
    } catch (error) {
      binding.overlayRelease(made.medium);
      throw error;
    }
  } finally {
    await rm(fresh, { force: true });
  }
}

async function overlayOf({ driver, base, baseName }: ImageWanted, file: Uint8Array, made: MadeInImage): Promise<NativeOverlay> {
  const image = Buffer.from(file).toString();
  if (isFailure(made)) {
    const error = fromFailure(made, { path: image });
    if (made[WHY_AT] !== WHY.otherBase || base === undefined) throw error;
    const info = await driver.overlayImageInfo(file);
    const other = isFailure(info) || info.backing.length === 0 ? 'none' : `'${info.backing.toString()}'`;
    throw reword(error, `${error.message}: ${other}, not '${baseName}'`, overlayOf);
  }
  if ('base' in made) throw fromFailure(made.base, { path: baseName });
  return made;
}

/** Gives the image the name that was asked for, durably. -> false: somebody else's has it. */
async function giveName(fresh: Buffer, file: Uint8Array): Promise<boolean> {
  const named = Buffer.from(file);
  try {
    if (!(await moveTo(fresh, named))) return false;
  } catch (error) {
    throw ownError(error, named);
  }
  try {
    await syncFolder(path.dirname(latin1(named)));
  } catch (error) {
    await rm(named, { force: true });
    throw ownError(error, named);
  }
  return true;
}

/** -> false: there is such a file. */
async function moveTo(fresh: Buffer, named: Buffer): Promise<boolean> {
  try {
    await link(fresh, named);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (!NO_LINKS.has(code)) throw error;
    // Without hard links nothing keeps a file that somebody makes between these two.
    if (await isThere(named)) return false;
    await rename(fresh, named);
  }
  return true;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(Buffer.from(folder, 'latin1'), 'r');
  try {
    await handle.sync();
  } catch (error) {
    // A file system that has no such sync.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  } finally {
    await handle.close();
  }
}

async function isThere(file: Uint8Array): Promise<boolean> {
  try {
    await stat(Buffer.from(file));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw ownError(error, file);
  }
}

function ownError(error: unknown, file: Uint8Array): unknown {
  const { errno, syscall = 'open' } = error as NodeJS.ErrnoException;
  return errno === undefined ? error : new BlockDeviceError({ errno, syscall, path: Buffer.from(file).toString() });
}

/** Bytes of a path, each as a character. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

async function realFolder(file: string): Promise<string> {
  return latin1(await realpath(Buffer.from(path.dirname(file), 'latin1'), { encoding: 'buffer' }));
}
