// copy(): between devices, files and streams, in chunks, with a bounded number of them in memory.
import { stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import type { WritableStream } from 'node:stream/web';
import type { PathLike, Stats } from 'node:fs';
import { throwIfAborted } from '../../request/abort.js';
import { handleOf } from '../../device.js';
import { invalidArgType, invalidArgValue } from '../../errors.js';
import { BlockDevice, open } from '../../index.js';
import { hostPath } from '../../arguments/validate.js';
import { failureOn } from '../extent.js';
import { DeviceSource, DeviceTarget } from './device-ends.js';
import type { Source, Target } from './ends.js';
import { FileTarget } from './file-target.js';
import { copySettings, type CopyOptions, type CopyResult, type CopySettings } from './options.js';
import { copyAll, Digests, verifyAll } from './pump.js';
import { NodeStreamTarget, StreamSource, WebStreamTarget, type ByteIterable } from './stream-ends.js';

/** What a copy reads: an open device, the path of a file or node, a Readable, a ReadableStream, or any other iterable of bytes. */
export type CopySource = BlockDevice | PathLike | ByteIterable;
/** What a copy writes: an open device, the path of a file or node, a Writable, or a WritableStream. */
export type CopyTarget = BlockDevice | PathLike | Writable | WritableStream<Uint8Array>;

/**
 * Copies bytes between devices, files and streams. What does not fit on a device is ENOSPC, before anything is written where
 * the length is known. A path of a file that is not there creates it, and a copy that fails removes it again; a file that is
 * there is replaced, or with `targetPosition` changed in place. Devices that are given stay open; streams are ended, and
 * destroyed when the copy fails.
 *
 * @param source device, path or stream to read
 * @param target device, path or stream to write
 * @param options range, chunk size, concurrency, `verify`, `sparse`, `flush`, `onProgress`, `signal`
 * @returns the bytes copied, and whether they were verified
 * @throws {BlockDeviceError} ENOSPC it does not fit; EACCES mode 'r'; EBUSY a path that is open elsewhere; EIO host, injected, or
 *   found by `verify`; EBADF closed
 *
 * @example
 * const { bytes } = await copy('disk.img', device, { verify: true, signal: AbortSignal.timeout(60_000) });
 */
export async function copy(source: CopySource, target: CopyTarget, options?: CopyOptions): Promise<CopyResult> {
  const settings = copySettings(options);
  const opens = [sourceOf(source, settings), targetOf(target, source, settings)] as const;
  throwIfAborted(settings.signal);
  const from = await opens[0]();
  let to: Target | undefined;
  let failure: { readonly reason: unknown } | undefined;
  try {
    to = await opens[1](from);
    return await transfer(from, to, nameOf(target), settings);
  } catch (reason) {
    failure = { reason };
    throw reason;
  } finally {
    await closeBoth(from, to, failure);
  }
}

async function transfer(from: Source, to: Target, name: string, settings: CopySettings): Promise<CopyResult> {
  const total = Math.min(from.size, settings.length);
  const control = new AbortController();
  const { signal, verify, flush } = settings;
  const stop = (): void => control.abort(signal?.reason);
  if (signal?.aborted === true) stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const digests = verify ? new Digests() : undefined;
    const bytes = await copyAll(from, to, { settings, control, total }, digests);
    await to.finish(bytes, flush, control.signal);
    control.signal.throwIfAborted();
    if (digests !== undefined && to.read !== undefined) {
      await verifyAll({ read: to.read.bind(to) }, name, { settings, control, total: bytes }, digests);
    }
    return { bytes, verified: verify };
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** Both ends, also when one of them fails; the failure of the copy comes before that of a close. */
async function closeBoth(from: Source, to: Target | undefined, failure: { readonly reason: unknown } | undefined): Promise<void> {
  const closed = await Promise.allSettled([from.close(failure), to?.close(failure)]);
  const failed = closed.find(({ status }) => status === 'rejected');
  if (failure === undefined && failed !== undefined) throw (failed as PromiseRejectedResult).reason;
}

/** Checks a source, and gives what opens it. */
function sourceOf(source: unknown, { sourcePosition = 0 }: CopySettings): () => Promise<Source> {
  if (source instanceof BlockDevice) {
    handleOf(source, 'read');
    return () => Promise.resolve(new DeviceSource(source, sourcePosition, false));
  }
  if (isIterable(source)) {
    if (sourcePosition !== 0) throw invalidArgValue('options.sourcePosition', sourcePosition, 'must be 0 for a stream');
    return () => Promise.resolve(new StreamSource(source));
  }
  if (!isPath(source)) throw invalidArgType('source', 'a BlockDevice, a path, or a stream that is read', source);
  hostPath(source, 'source');
  return async () => {
    const device = await open(source);
    try {
      return new DeviceSource(device, sourcePosition, true);
    } catch (error) {
      await device.close();
      throw error;
    }
  };
}

/** Checks a target, and gives what opens it. */
function targetOf(target: unknown, source: unknown, settings: CopySettings): (from: Source) => Promise<Target> {
  const { targetPosition } = settings;
  if (target instanceof BlockDevice) {
    handleOf(target, 'write');
    if (source instanceof BlockDevice) requireApart(source, target, settings);
    return (from) => Promise.resolve(fitting(new DeviceTarget(target, targetPosition ?? 0, false), target, from, settings));
  }
  if (isNodeTarget(target) || isWebTarget(target)) {
    if ((targetPosition ?? 0) !== 0) throw invalidArgValue('options.targetPosition', targetPosition, 'must be 0 for a stream');
    if (settings.verify) throw invalidArgValue('options.verify', true, 'must be false for a stream, which cannot be read again');
    return () => Promise.resolve(isNodeTarget(target) ? new NodeStreamTarget(target) : new WebStreamTarget(target));
  }
  if (!isPath(target)) throw invalidArgType('target', 'a BlockDevice, a path, or a stream that is written', target);
  hostPath(target, 'target');
  return async (from) => {
    const stats = await statOf(target);
    if (stats?.isBlockDevice() !== true && stats?.isCharacterDevice() !== true) {
      await requireOther(source, target, stats);
      return FileTarget.open(target, targetPosition);
    }
    const device = await open(target, { mode: 'r+' });
    try {
      return fitting(new DeviceTarget(device, targetPosition ?? 0, true), device, from, settings);
    } catch (error) {
      await device.close();
      throw error;
    }
  };
}

/** Throws ENOSPC when it is known already that the copy does not fit. */
function fitting(to: Target, device: BlockDevice, from: Source, { length }: CopySettings): Target {
  const total = Math.min(from.size, length);
  if (total !== Infinity && total > to.size) throw failureOn(device, 'ENOSPC', 'write', 0);
  return to;
}

/** Chunks are read and written in any order, so a range cannot be copied onto itself. */
function requireApart(source: BlockDevice, target: BlockDevice, { sourcePosition = 0, targetPosition = 0, length }: CopySettings): void {
  if (source !== target && (source.minor < 0 || source.driver !== target.driver || source.minor !== target.minor)) return;
  const total = Math.min(length, source.size - sourcePosition);
  if (sourcePosition < targetPosition + total && targetPosition < sourcePosition + total) {
    throw invalidArgValue('target', target.path, 'must not overlap the source');
  }
}

/** A file that is replaced must not be the one that is read, whatever its locks say. */
async function requireOther(source: unknown, target: PathLike, stats: Stats | undefined): Promise<void> {
  const path = source instanceof BlockDevice ? source.path : isPath(source) ? source : undefined;
  if (path === undefined || stats === undefined) return;
  const other = await statOf(path);
  if (other?.dev === stats.dev && other.ino === stats.ino) throw invalidArgValue('target', target, 'must not be the source');
}

async function statOf(path: PathLike): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function nameOf(target: unknown): string {
  return target instanceof BlockDevice ? target.path : hostPathOf(target);
}

function hostPathOf(target: unknown): string {
  return isPath(target) ? hostPath(target, 'target').toString() : 'stream';
}

function isPath(value: unknown): value is PathLike {
  return typeof value === 'string' || value instanceof Uint8Array || (typeof value === 'object' && value !== null && 'href' in value);
}

function isIterable(value: unknown): value is ByteIterable {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

function isNodeTarget(value: unknown): value is Writable {
  if (typeof value !== 'object' || value === null) return false;
  return ['write', 'end', 'on', 'destroy'].every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}

function isWebTarget(value: unknown): value is WritableStream<Uint8Array> {
  return typeof value === 'object' && value !== null && typeof (value as { getWriter?: unknown }).getWriter === 'function';
}
