// What the guide's method finds in a package of others: fatfs 0.10.8, which overwrites a file in place.
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from '@jest/globals';
import fatfs from 'fatfs';
import type { BlockDevice } from 'rumpblk';
import { fatfsDriver } from 'rumpblk/fatfs';
import { CrashError, crashCheck } from 'rumpblk/lab';
import { VFAT } from '../support/file-systems';
import { run, testWith } from '../support/peers';
import { MiB, rig } from '../support/rig';

const bench = rig();
const vfat = testWith(...VFAT);
const [BEFORE, AFTER] = [Buffer.alloc(3000, 'old '), Buffer.alloc(5000, 'new!')];

const call = (device: BlockDevice, name: string, ...given: unknown[]): Promise<any> =>
  promisify(fatfs.createFileSystem(fatfsDriver(device))[name])(...given);

/** What a file holds after a power cut, of which each state is one kind. */
function kindOf(data: Buffer, isSaved: boolean): string | undefined {
  if (data.equals(AFTER) || (!isSaved && data.equals(BEFORE))) return undefined;
  if (isSaved) return 'what was flushed is lost';
  return data.length === 0 ? 'the file is empty' : 'neither the old content nor the new one';
}

vfat('a file that fatfs overwrites has neither its old content nor its new one', async () => {
  const image = bench.sparse(2 * MiB);
  run('mkfs.vfat', '-F', '12', '-s', '1', '-i', '12345678', image);
  const bytes = readFileSync(image);
  const test = crashCheck(
    {
      size: bytes.length,
      setup: async (device) => {
        await device.write(bytes, 0);
        await call(device, 'writeFile', '/data.bin', BEFORE);
      },
      run: async (device, mark) => {
        await call(device, 'writeFile', '/data.bin', AFTER);
        await device.flush();
        mark('saved');
      },
      check: async ({ device, marks }) => {
        const data: Buffer | undefined = await call(device, 'readFile', '/data.bin').catch(() => undefined);
        return data === undefined ? 'the file cannot be read' : kindOf(data, marks.length > 0);
      },
    },
    { seed: 1, failures: 1000, shrink: 0, directory: bench.path('.') },
  );
  const error: unknown = await test.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CrashError);
  const { failures } = (error as CrashError).report;
  const kinds = new Set(failures.map(({ error: reason }) => String(reason)));
  // A flush is enough to keep what it covers; what it did not cover yet is a mixture.
  expect([...kinds].sort()).toEqual(['neither the old content nor the new one', 'the file cannot be read', 'the file is empty']);
  expect(failures.every(({ marks }) => marks.length === 0)).toBe(true);
});
