// fatfsDriver: the contract of fatfs's volume drivers, and fatfs over it on images of mkfs.vfat, judged by mtools and fsck.vfat.
import fs, { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import fatfs from 'fatfs';
import { fatfsDriver, type FatfsVolumeDriver } from 'rumpblk/fatfs';
import { failure, refusal } from '../support/failure';
import { VFAT } from '../support/file-systems';
import { reportsFrom } from '../support/child';
import { MADE_OF } from '../support/made-of';
import { run, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const vfat = testWith(...VFAT);
const SIZE = 64 * KiB + 100;
const content = pattern(SIZE);

const reads = (driver: FatfsVolumeDriver) =>
  promisify((i: number, dest: Buffer, cb: (error: Error | null) => void) => driver.readSectors(i, dest, cb));
const writes = (driver: FatfsVolumeDriver) =>
  promisify((i: number, data: Buffer, cb: (error: Error | null) => void) => driver.writeSectors!(i, data, cb));

/** What fsck.vfat says of an image. fatfs keeps neither the second FAT nor the free count, so it always has something to say. */
function verdict(image: string): string {
  try {
    return run('fsck.vfat', '-n', image);
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout);
  }
}

/** The driver of fatfs's own README, over node:fs. */
function plainDriver(fd: number, size: number): object {
  return {
    sectorSize: 512,
    numSectors: size / 512,
    readSectors: (i: number, dest: Buffer, cb: (error: unknown) => void) => fs.read(fd, dest, 0, dest.length, i * 512, cb),
    writeSectors: (i: number, data: Buffer, cb: (error: unknown) => void) => fs.write(fd, data, 0, data.length, i * 512, cb),
  };
}

const large = pattern(50_001, 3);

async function fill(driver: object): Promise<void> {
  const volume = fatfs.createFileSystem(driver);
  const call = (name: string): any => promisify(volume[name]);
  const [mkdir, writeFile, readFile, readdir] = [call('mkdir'), call('writeFile'), call('readFile'), call('readdir')];
  await mkdir('/folder');
  await writeFile('/hello.txt', 'hello');
  await writeFile('/folder/large.bin', large);
  expect(await readdir('/')).toEqual(expect.arrayContaining(['hello.txt', 'folder']));
  expect((await readFile('/folder/large.bin')).equals(large)).toBe(true);
}

for (const [bits, made] of ['16', '32'].flatMap((bits) => MADE_OF.map((made) => [bits, made] as const))) {
  vfat(`fatfs writes a FAT${bits} on ${made.name} that mtools read, and that fsck.vfat finds as good as fatfs makes one`, async () => {
    const size = bits === '16' ? 16 * MiB : 40 * MiB;
    const images = [bench.sparse(size), bench.sparse(size)] as const;
    for (const each of images) run('mkfs.vfat', '-F', bits, '-i', '12345678', ...(bits === '32' ? ['-s', '1'] : []), each);
    const [image, other] = images;
    const { device, settle } = await made.device(bench, image, { mode: 'r+' });
    await fill(fatfsDriver(device));
    await device.flush();
    await settle();
    expect(run('mtype', '-i', image, '::hello.txt')).toBe('hello');
    expect(run('mdir', '-i', image, '-b', '::/folder')).toContain('large.bin');
    run('mcopy', '-n', '-i', image, '::folder/large.bin', bench.path('out'));
    expect(readFileSync(bench.path('out')).equals(large)).toBe(true);
    const fd = fs.openSync(other, 'r+');
    await fill(plainDriver(fd, size));
    fs.closeSync(fd);
    expect(verdict(image).replaceAll(image, '')).toBe(verdict(other).replaceAll(other, ''));
  });
}

vfat('fatfs reads what mcopy wrote, from a device of mode r, and refuses to write there', async () => {
  const image = bench.sparse(16 * MiB);
  run('mkfs.vfat', '-F', '16', image);
  run('mcopy', '-i', image, bench.image(pattern(30_000, 4)), '::data.bin');
  const driver = fatfsDriver(bench.device(image));
  expect(driver.writeSectors).toBeUndefined();
  const volume = fatfs.createFileSystem(driver);
  expect((await promisify(volume.readFile)('/data.bin')).equals(pattern(30_000, 4))).toBe(true);
  await expect(promisify(volume.writeFile)('/new.txt', 'x')).rejects.toMatchObject({ code: 'ROFS' });
});

describe('sectors', () => {
  test('are those of the device, in whole ones', async () => {
    const image = bench.image(content);
    const device = bench.device(image, { mode: 'r+' });
    const driver = fatfsDriver(device);
    expect(driver).toMatchObject({ sectorSize: 512, numSectors: 128 });
    const memory = Buffer.alloc(1024);
    await reads(driver)(3, memory);
    expect(memory.equals(content.subarray(1536, 2560))).toBe(true);
    await writes(driver)(126, memory);
    expect(
      readFileSync(image)
        .subarray(126 * 512, 128 * 512)
        .equals(memory),
    ).toBe(true);
    expect(fatfsDriver(device, { sectorSize: 4096 })).toMatchObject({ sectorSize: 4096, numSectors: 16 });
  });

  test('beyond the end are errors, and nothing is written', async () => {
    const image = bench.image(content);
    const driver = fatfsDriver(bench.device(image, { mode: 'r+' }));
    for (const first of [127, 128, 129, 2 ** 40]) {
      await failure(() => reads(driver)(first, Buffer.alloc(1024)), 'EINVAL');
      await failure(() => writes(driver)(first, Buffer.alloc(1024)), 'ENOSPC');
    }
    expect(readFileSync(image).equals(content)).toBe(true);
  });

  test('faults and a closed device come to the callback, once', async () => {
    const device = bench.device(bench.image(content), { mode: 'r+' });
    const driver = fatfsDriver(device);
    device.driver.faults.set({ rate: 10_000, seed: 1 });
    await failure(() => reads(driver)(0, Buffer.alloc(512)), 'EIO');
    await failure(() => writes(driver)(0, Buffer.alloc(512)), 'EIO');
    device.driver.faults.clear();
    await device.close();
    let calls = 0;
    driver.readSectors(0, Buffer.alloc(512), () => (calls += 1));
    expect(calls).toBe(0); // never before the call has returned
    await failure(() => reads(driver)(0, Buffer.alloc(512)), 'EBADF');
    expect(calls).toBe(1);
  });
});

test('what a callback throws is an uncaught exception of the caller, and no rejection', async () => {
  const script = `
    const { fatfsDriver } = require('rumpblk/fatfs');
    const device = openSync(args);
    const seen = await new Promise((resolve) => {
      process.on('uncaughtException', (error, origin) => resolve([error.message, origin]));
      fatfsDriver(device).readSectors(0, Buffer.alloc(512), () => { throw new Error('mine'); });
    });
    device.closeSync();
    report(seen);`;
  expect(await reportsFrom(script, { args: bench.image(content) })).toEqual([['mine', 'uncaughtException']]);
});

test('wrong arguments are thrown at the call', async () => {
  const device = bench.device(bench.image(content), { mode: 'r+' });
  const driver: any = fatfsDriver(device);
  const ignore = (): undefined => undefined;
  for (const call of ['readSectors', 'writeSectors']) {
    expect(await refusal(() => driver[call](0, Buffer.alloc(512)))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => driver[call]('0', Buffer.alloc(512), ignore))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => driver[call](-1, Buffer.alloc(512), ignore))).toBe('ERR_OUT_OF_RANGE');
    expect(await refusal(() => driver[call](0.5, Buffer.alloc(512), ignore))).toBe('ERR_OUT_OF_RANGE');
    expect(await refusal(() => driver[call](0, Buffer.alloc(100), ignore))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await refusal(() => driver[call](0, 'x', ignore))).toBe('ERR_INVALID_ARG_TYPE');
  }
  for (const sectorSize of [0, 513, -512, 2 ** 20]) {
    expect(await refusal(() => fatfsDriver(device, { sectorSize }))).toMatch(/ERR_(OUT_OF_RANGE|INVALID_ARG_VALUE)/);
  }
  expect(await refusal(() => fatfsDriver({} as never))).toBe('ERR_INVALID_ARG_TYPE');
});
