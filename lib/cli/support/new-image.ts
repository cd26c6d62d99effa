// A qcow2 image that a command makes: it stays only when what was to be put into it is in it.
import { rmSync, statSync, type BigIntStats } from 'node:fs';
import { createQcow2, open, type BlockDevice } from '../../index.js';
import { useAndClose } from './scope.js';

/** Bytes of a sector: qcow2 disks of other programs are whole ones. */
const SECTOR = 512;

export interface NewImage {
  /** Bytes of the disk at least. */
  readonly size: number;
  /** Whether it is durable when it is closed. */
  readonly flush: boolean;
  readonly lock: boolean;
}

/** Makes the image, where there must be nothing yet, and runs `use` on it, which all of it reads as zeros. Removes the file when that fails. */
export async function withNewQcow2<T>(file: string, { size, flush, lock }: NewImage, use: (device: BlockDevice) => Promise<T>): Promise<T> {
  await createQcow2(file, { size: Math.ceil(size / SECTOR) * SECTOR });
  const made = statSync(file, { bigint: true });
  try {
    const device = await open(file, { format: 'qcow2', mode: 'r+', cache: flush ? 'writeback' : 'unsafe', lock });
    return await useAndClose(device, () => use(device));
  } catch (error) {
    if (isStill(file, made)) rmSync(file, { force: true });
    throw error;
  }
}

/** Whether the name is that of the file that was made. */
function isStill(file: string, { dev, ino }: BigIntStats): boolean {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stats?.dev === dev && stats.ino === ino;
}
