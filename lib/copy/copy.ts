// copy(): between devices, files and streams, in chunks, with a bounded number of them in memory.
import { constants } from 'node:os';
import { BlockDeviceError } from '../index.js';
import { mediumOfUrl } from '../media/nbd.js';
import { throwIfAborted } from '../request/abort.js';
import { copyByHost, mayBeByHost } from './by-host.js';
import { Digests } from './digests.js';
import type { Source, Target } from './ends.js';
import { nameOf, type CopySource, type CopyTarget } from './kinds.js';
import { copySettings, type CopyOptions, type CopyResult, type CopyRules, type CopySettings } from './options.js';
import { copyRest } from './pump.js';
import { sourceOf } from './sources.js';
import { targetOf } from './targets.js';
import { digestOf, verifyAll } from './verify.js';

/**
 * Copies bytes between devices, files and streams. What does not fit on a device is ENOSPC, before anything is written where
 * the length is known; of a stream, what fits has been written. Holes of the source are not read, and stay holes where the
 * target can have some; files of one file system share blocks where it can, and are copied by the host where it cannot. A path of a file that is not there creates it, and a copy that fails removes it again; a file that is
 * there is replaced, or with `targetPosition` changed in place. Files and disks that are named by a path are locked as by
 * `open()`. Devices that are given stay open; streams are ended, and destroyed when the copy fails.
 *
 * @param source device, path or stream to read; a file that does not tell its size, as those of /proc, is read to its end
 * @param target device, path or stream to write; it must not have bytes in common with the source, by whatever name
 * @param options range, partitions of paths, chunk size, concurrency, `verify`, `sparse`, `reflink`, `targetIsZero`, `flush`, `onProgress`, `signal`
 * @returns the bytes copied, how many of them were holes or are shared, and whether they were verified
 * @throws {BlockDeviceError} ENOSPC it does not fit; ENXIO no such partition; ENOTSUP `reflink: 'always'` where nothing can be shared; EACCES mode 'r'; EBUSY a path that is open elsewhere; EIO host, injected, or
 *   found by `verify`; EBADF closed
 *
 * @example
 * const { bytes } = await copy('disk.img', device, { verify: true, signal: AbortSignal.timeout(60_000) });
 *
 * @example
 * await copy('root.ext4', 'disk.img', { targetPartition: 'root' });
 */
export function copy(source: CopySource, target: CopyTarget, options?: CopyOptions): Promise<CopyResult> {
  return copyBy(source, target, options, {});
}

/** The same, by other rules than those of callers. */
export async function copyBy(
  source: CopySource,
  target: CopyTarget,
  options: CopyOptions | undefined,
  rules: Partial<CopyRules>,
): Promise<CopyResult> {
  const settings = copySettings(options, rules);
  const opens = [sourceOf(mediumOfUrl(source), settings), targetOf(mediumOfUrl(target), settings)] as const;
  throwIfAborted(settings.signal);
  const from = await opens[0]();
  let to: Target | undefined;
  let failure: { readonly reason: unknown } | undefined;
  try {
    to = await opens[1](from);
    return await transfer(from, to, nameOf(target, 'target'), settings);
  } catch (reason) {
    failure = { reason };
    throw reason;
  } finally {
    await closeBoth(from, to, failure);
  }
}

async function transfer(from: Source, to: Target, name: string, settings: CopySettings): Promise<CopyResult> {
  const wanted = Math.min(from.size, settings.length);
  const total = Math.min(wanted, to.size);
  const control = new AbortController();
  const { signal, verify, flush } = settings;
  const stop = (): void => control.abort(signal?.reason);
  if (signal?.aborted === true) stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const run = { settings, control, total };
    const tally = { bytes: 0, holes: 0, cloned: 0 };
    const part = total === Infinity ? undefined : await to.begin?.(total, settings.reflink === 'always');
    if (mayBeByHost(settings)) await copyByHost(from, { part, name, isZero: to.isZero }, run, tally);
    const byHost = tally.bytes;
    const digests = verify ? new Digests() : undefined;
    await copyRest(from, to, run, tally, digests);
    const { bytes, holes: bytesHoles, cloned: bytesCloned } = tally;
    if (bytes === to.size && wanted > bytes) await requireEnd(from, bytes, name, control.signal);
    await to.finish(bytes, flush, control.signal);
    control.signal.throwIfAborted();
    if (digests !== undefined && to.read !== undefined) {
      if (byHost > 0) await digestOf(from, byHost, run, digests);
      await verifyAll(to as Target & { read: NonNullable<Target['read']> }, name, { settings, control, total: bytes }, digests);
    }
    return { bytes, verified: verify, bytesHoles, bytesCloned };
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** Throws ENOSPC unless the source has ended where the target is full. */
async function requireEnd(from: Source, bytes: number, name: string, signal: AbortSignal): Promise<void> {
  const left = await from.read(Buffer.alloc(1), bytes, signal);
  if (left === 0) return;
  throw new BlockDeviceError({ errno: -constants.errno.ENOSPC, syscall: 'write', path: name, bytesTransferred: bytes });
}

/** Both ends, also when one of them fails: what the source says at its end is a failure of the copy for the target. The failure of the copy comes first. */
async function closeBoth(from: Source, to: Target | undefined, failure: { readonly reason: unknown } | undefined): Promise<void> {
  const first = await failureOf(from.close(failure));
  const second = await failureOf(to?.close(failure ?? first));
  const found = first ?? second;
  if (failure === undefined && found !== undefined) throw found.reason;
}

async function failureOf(work: Promise<void> | undefined): Promise<{ readonly reason: unknown } | undefined> {
  try {
    await work;
    return undefined;
  } catch (reason) {
    return { reason };
  }
}
