// Ranges of a device as the clients of adapters see them: what does not fit is ENOSPC, before a byte moves, and zeros
// give their room back.
import { constants } from 'node:os';
import { BlockDeviceError, type BlockDevice } from '../index.js';

/** As many zeros as are worth a hole. */
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

/** A part of a buffer that is zeros, or one that is taken for data. */
export interface Run {
  readonly from: number;
  readonly to: number;
  readonly isZero: boolean;
}

/** What a hole of a file system is made of. */
const STEP = 4096;

/** Cuts `data` where zeros begin and end, in steps of 4 KiB. Fewer than 64 KiB of zeros are data, unless there is nothing else. */
export function runsOf(data: Buffer): Run[] {
  const runs: Run[] = [];
  const add = (from: number, to: number, isZero: boolean): void => {
    const last = runs.at(-1);
    if (last?.isZero === isZero) runs[runs.length - 1] = { ...last, to };
    else runs.push({ from, to, isZero });
  };
  for (let from = 0; from < data.length;) {
    const to = endOfZeros(data, from);
    const isZero = to - from >= ZEROS.length || (from === 0 && to === data.length);
    const end = to > from ? to : Math.min(from + STEP, data.length);
    add(from, end, isZero);
    from = end;
  }
  return runs;
}

/** Where zeros end that begin at `from`, in steps of 4 KiB; `from` where there are none. */
function endOfZeros(data: Buffer, from: number): number {
  let at = from;
  while (at < data.length) {
    const to = Math.min(at + STEP, data.length);
    if (!data.subarray(at, to).equals(ZEROS.subarray(0, to - at))) break;
    at = to;
  }
  return at;
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
