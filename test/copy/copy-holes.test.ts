// Issue 13, items 6 and 7: holes on both sides of a copy, of the command too; files that do not tell their size.
import { createWriteStream, ftruncateSync, openSync as openFile, closeSync, readFileSync, statSync, writeSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { openSync } from 'rumpblk';
import { copy, type CopyProgress } from 'rumpblk/copy';
import { cli } from '../support/cli';
import { digest, media } from '../support/copying';
import { failure } from '../support/failure';
import { ability, testWith } from '../support/peers';
import { GiB, KiB, MiB, pattern, rig, TiB } from '../support/rig';

const bench = rig();
const { medium, fresh } = media(bench);

const SIZE = 300 * MiB;
const PLACES = [0, 100 * MiB + 4096, 200 * MiB, SIZE - 4096];

/** An image of holes with 4 KiB of data at four places. */
function holey(): string {
  const file = bench.sparse(SIZE);
  const fd = openFile(file, 'r+');
  for (const place of PLACES) writeSync(fd, pattern(4096, place + 1), 0, 4096, place);
  closeSync(fd);
  return file;
}

const allocated = (file: string): number => statSync(file).blocks * 512;
const sparse = testWith(ability('file system with holes', () => allocated(holey()) < MiB));
const bytesRead = async (source: string, target: string): Promise<number> => {
  const device = bench.device(source);
  await copy(device, target, { verify: true });
  return device.driver.counters().bytesRead;
};

describe('a copy of holes', () => {
  sparse('reads none of them, and makes the same in a file', async () => {
    const [source, target] = [holey(), fresh()];
    expect(await bytesRead(source, target)).toBeLessThanOrEqual(PLACES.length * MiB);
    expect(allocated(target)).toBeLessThanOrEqual(allocated(source) + 64 * KiB);
    expect(digest(readFileSync(target))).toBe(digest(readFileSync(source)));
  });

  sparse('leaves those of a device, and fills what it had', async () => {
    const source = holey();
    const { device, image } = medium(SIZE);
    device.writeSync(Buffer.alloc(MiB, 7), 150 * MiB);
    await copy(source, device, { verify: true });
    expect(digest(readFileSync(image))).toBe(digest(readFileSync(source)));
    expect(allocated(image)).toBeLessThanOrEqual(3 * MiB);
    expect(device.driver.counters().bytesWritten).toBeLessThanOrEqual(3 * MiB);
  });

  sparse('gives a stream its zeros', async () => {
    const [source, target] = [holey(), fresh()];
    await copy(source, createWriteStream(target));
    expect(digest(readFileSync(target))).toBe(digest(readFileSync(source)));
  });

  sparse('writes every zero when it is told to', async () => {
    const source = bench.sparse(4 * MiB);
    const target = fresh();
    await copy(source, target, { sparse: false });
    expect(allocated(target)).toBeGreaterThanOrEqual(4 * MiB);
  });

  sparse('of a range takes part in neither', async () => {
    const source = holey();
    const expected = readFileSync(source).subarray(99 * MiB + 1, 201 * MiB + 5);
    const options = { sourcePosition: 99 * MiB + 1, length: expected.length, chunkSize: 77_777, verify: true };
    const target = fresh();
    await copy(source, target, options);
    expect(digest(readFileSync(target))).toBe(digest(expected));
    const inPlace = bench.image(Buffer.alloc(expected.length + 10, 9));
    await copy(source, inPlace, { ...options, targetPosition: 3 });
    expect(digest(readFileSync(inPlace))).toBe(digest(Buffer.concat([Buffer.alloc(3, 9), expected, Buffer.alloc(7, 9)])));
  });

  sparse('of terabytes takes as long as their data, and tells how far it is', async () => {
    const [source, target] = [bench.sparse(4 * TiB), fresh()];
    const fd = openFile(source, 'r+');
    writeSync(fd, pattern(4096), 0, 4096, 3 * TiB);
    closeSync(fd);
    const told: CopyProgress[] = [];
    const { device, image } = medium(4 * TiB);
    for (const to of [target, device]) {
      await copy(source, to, { chunkSize: 64 * MiB, onProgress: (progress) => told.push(progress) });
      expect(told.at(-1)).toEqual({ phase: 'copy', bytes: 4 * TiB, total: 4 * TiB });
    }
    expect(told.length).toBeLessThan(1000);
    for (const file of [target, image]) {
      const got = Buffer.alloc(4096);
      bench.keep(openSync(file, { lock: false })).readSync(got, 3 * TiB);
      expect(got.equals(pattern(4096))).toBe(true);
      expect(allocated(file)).toBeLessThan(MiB);
    }
  });

  sparse('finds a hole that is none any more', async () => {
    const { device } = medium(4 * MiB);
    const onProgress = ({ phase, bytes }: CopyProgress): void => {
      if (phase === 'copy' && bytes === 4 * MiB) device.writeSync(Buffer.from('spoiled'), 2 * MiB + 5);
    };
    const error = await failure(() => copy(bench.sparse(4 * MiB), device, { verify: true, onProgress }), 'EIO');
    expect(error).toMatchObject({ syscall: 'verify', bytesTransferred: 2 * MiB });
  });
});

describe('the command', () => {
  sparse('read -o keeps holes, and those of a file that it replaces', async () => {
    const source = holey();
    for (const target of [fresh(), bench.image(Buffer.alloc(2 * MiB, 1))]) {
      expect(await cli(['read', source, '-o', target])).toMatchObject({ status: 0, stderr: '' });
      expect(allocated(target)).toBeLessThanOrEqual(allocated(source) + 64 * KiB);
      expect(digest(readFileSync(target))).toBe(digest(readFileSync(source)));
    }
  });

  sparse('write -i leaves holes, and makes zeros of what was there', async () => {
    const source = holey();
    const target = bench.sparse(SIZE);
    const fd = openFile(target, 'r+');
    writeSync(fd, Buffer.alloc(MiB, 5), 0, MiB, 50 * MiB);
    ftruncateSync(fd, SIZE);
    closeSync(fd);
    expect(await cli(['write', target, '-i', source])).toMatchObject({ status: 0, stderr: '' });
    expect(digest(readFileSync(target))).toBe(digest(readFileSync(source)));
    expect(allocated(target)).toBeLessThanOrEqual(3 * MiB);
  });

  test('write -i of a file that does not fit writes what fits', async () => {
    const target = bench.image(Buffer.alloc(8 * KiB));
    const finished = await cli(['write', target, '-p', '1k', '-i', bench.image(pattern(GiB / 1024))]);
    expect(finished).toMatchObject({ status: 1, stderr: expect.stringContaining('7168 bytes written, then the device ended at 8192') });
    expect(readFileSync(target).subarray(1024).equals(pattern(7168))).toBe(true);
  });
});

describe('a file that does not tell its size', () => {
  const FILE = '/proc/cpuinfo';
  const untold = testWith(ability('/proc', () => statSync(FILE).size === 0 && readFileSync(FILE).length > 10));
  // Clocks differ from one look to the next.
  const words = (data: Buffer): string => data.toString().replace(/^cpu MHz.*$/gm, '');

  untold('is copied to its end by its path', async () => {
    const target = fresh();
    const { bytes } = await copy(FILE, target, { verify: true });
    expect(bytes).toBe(statSync(target).size);
    expect(words(readFileSync(target))).toBe(words(readFileSync(FILE)));
    await copy(FILE, target, { sourcePosition: 4, length: 5 });
    expect(readFileSync(target).equals(readFileSync(FILE).subarray(4, 9))).toBe(true);
  });

  untold('is no device, unless its size is given', async () => {
    expect(await failure(() => openSync(FILE), 'EINVAL')).toMatchObject({ syscall: 'register' });
    const device = bench.keep(openSync(FILE, { size: 9 }));
    const got = Buffer.alloc(9);
    expect(device.readSync(got, 0)).toBe(9);
    expect(got.equals(readFileSync(FILE).subarray(0, 9))).toBe(true);
    const target = fresh();
    expect(await copy(device, target)).toMatchObject({ bytes: 9 });
  });

  untold('is refused by the command that reads devices, and taken by the one that writes them', async () => {
    expect(await cli(['read', FILE])).toMatchObject({ status: 1, stdout: Buffer.alloc(0), stderr: expect.stringContaining('--size') });
    const target = bench.image(Buffer.alloc(MiB));
    expect(await cli(['write', target, '-i', FILE])).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(target, 'utf8')).toContain('processor');
  });

  test('an empty file is an empty device', async () => {
    const empty = bench.image(Buffer.alloc(0));
    expect(await copy(empty, fresh())).toMatchObject({ bytes: 0, verified: false });
    expect(await cli(['read', empty])).toMatchObject({ status: 0, stdout: Buffer.alloc(0) });
  });
});
