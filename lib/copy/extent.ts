// Ranges of a device as the clients of adapters see them: what does not fit is ENOSPC, before a byte moves, and zeros
// give their room back.
import { constants } from 'node:os';
import { BlockDeviceError, type BlockDevice } from '../index.js';

/** Bytes that are looked at, and perhaps written, at a time; holes of the host file stay holes in steps of this. */
const ZEROS = Buffer.alloc(64 * 1024);

/** Makes the error of a request on a device that did not reach it. */
export function failureOn(device: BlockDevice, code: 'EINVAL' | 'EIO' | 'ENOSPC', syscall: string, moved?: number): BlockDeviceError {
  return new BlockDeviceError({
    errno: -constants.errno[code],
    syscall,
    path: device.path,
    ...(device.minor >= 0 && { minor: device.minor }),
    ...(moved !== undefined && { bytesTransferred: moved }),
  });
}

/** Throws ENOSPC unless [position, position + length) lies in the device. */
export function requireRoom(device: BlockDevice, position: number, length: number): void {
  if (position + length > device.size) throw failureOn(device, 'ENOSPC', 'write', 0);
}

/** Throws ENOSPC when a write moved less than all of it. */
export function requireWhole(device: BlockDevice, moved: number, length: number): void {
  if (moved < length) throw failureOn(device, 'ENOSPC', 'write', moved);
}

/** A part of a buffer that is zeros, or one whose steps all hold something else. */
export interface Run {
  readonly from: number;
  readonly to: number;
  readonly isZero: boolean;
}

/** Cuts `data` where zeros begin and end, in steps of that many bytes, at most and by default 64 KiB. */
export function runsOf(data: Buffer, step = ZEROS.length): Run[] {
  const runs: Run[] = [];
  for (let from = 0; from < data.length; from += step) {
    const to = Math.min(from + step, data.length);
    const isZero = data.subarray(from, to).equals(ZEROS.subarray(0, to - from));
    const last = runs.at(-1);
    if (last?.isZero === isZero) runs[runs.length - 1] = { ...last, to };
    else runs.push({ from, to, isZero });
  }
  return runs;
}

/** Makes [start, end) of the device zeros, and lets the host free them. */
export async function zeroRange(
  device: BlockDevice,
  start: number,
  end: number,
  { signal, fua }: { signal?: AbortSignal; fua?: true } = {},
): Promise<void> {
  if (start >= end) return;
  const abort = signal === undefined ? {} : { signal };
  const durably = fua === undefined ? {} : { fua };
  const { bytesWritten } = await device.writeZeroes(start, end - start, { ...abort, ...durably });
  requireWhole(device, bytesWritten, end - start);
}
