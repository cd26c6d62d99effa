// The table of a driver: which minor a registration gets, what makes two of them the same, and what frees one.
import { linkSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { failure, refusal } from '../support/failure';
import { run } from '../support/peers';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * KiB;

function images(count: number): string[] {
  return Array.from({ length: count }, (_, i) => bench.image(pattern(SIZE, i + 1)));
}

describe('register', () => {
  test('gives the lowest free slot', () => {
    const driver = bench.driver();
    const [a, b, c, d] = images(4) as [string, string, string, string];
    expect([a, b, c].map((file) => driver.registerSync(file))).toEqual([0, 1, 2]);
    driver.deregister(1);
    expect(driver.registerSync(d)).toBe(1);
    driver.deregister(0);
    driver.deregister(1);
    expect(driver.registerSync(b)).toBe(0);
  });

  test('the promise form gives the same minors', async () => {
    const driver = bench.driver();
    const [a, b] = images(2) as [string, string];
    expect(await driver.register(a)).toBe(0);
    expect(await driver.register(b)).toBe(1);
    expect(await driver.register(a)).toBe(0);
    expect(driver.registerSync(b)).toBe(1);
  });

  test('B21: a file has one minor however its path is spelled', () => {
    const driver = bench.driver();
    const [file] = images(1) as [string];
    const spellings = [
      file,
      path.join(path.dirname(file), '.', 'x', '..', path.basename(file)),
      `${path.dirname(file)}//${path.basename(file)}`,
      path.relative(process.cwd(), file),
      Buffer.from(file),
      pathToFileURL(file),
    ];
    const symbolic = bench.path('symbolic');
    const hard = bench.path('hard');
    symlinkSync(file, symbolic);
    linkSync(file, hard);
    for (const spelling of [...spellings, symbolic, hard]) expect(driver.registerSync(spelling)).toBe(0);
    expect(driver.minors()).toHaveLength(1);
  });

  test('B21: two ranges of one file are two minors, each with its own bytes', () => {
    const driver = bench.driver();
    const content = pattern(SIZE);
    const file = bench.image(content);
    expect(driver.registerSync(file, { offset: 0, size: 4096 })).toBe(0);
    expect(driver.registerSync(file, { offset: 4096, size: 4096 })).toBe(1);
    expect(driver.registerSync(file, { offset: 4096, size: 8192 })).toBe(2);
    expect(driver.registerSync(file, { offset: 4096n, size: 4096n })).toBe(1);
    const device = bench.keep(driver.openSync(1));
    const got = Buffer.alloc(4096);
    expect(device.readSync(got, 0)).toBe(4096);
    expect(got.equals(content.subarray(4096, 8192))).toBe(true);
  });

  test('B1: an unset size is what lies behind the offset, a set one is taken', () => {
    const driver = bench.driver();
    const [file] = images(1) as [string];
    const minors = [
      driver.registerSync(file),
      driver.registerSync(file, { offset: 1000 }),
      driver.registerSync(file, { size: 3000 }),
      driver.registerSync(file, { offset: 1000, size: 3000 }),
    ];
    expect(new Set(minors).size).toBe(4);
    expect(driver.minors().map(({ offset, size }) => [offset, size])).toEqual([
      [0, SIZE],
      [1000, SIZE - 1000],
      [0, 3000],
      [1000, 3000],
    ]);
    expect(driver.registerSync(file, { offset: 0, size: SIZE })).toBe(0);
  });

  test('B22: a range that leaves the file is EINVAL and takes no slot', async () => {
    const driver = bench.driver();
    const [file] = images(1) as [string];
    const ranges = [
      { offset: SIZE + 1 },
      { size: SIZE + 1 },
      { offset: 1, size: SIZE },
      { offset: Number.MAX_SAFE_INTEGER },
      { size: Number.MAX_SAFE_INTEGER },
      { offset: Number.MAX_SAFE_INTEGER, size: Number.MAX_SAFE_INTEGER },
      { offset: 1, size: Number.MAX_SAFE_INTEGER },
    ];
    for (const range of ranges) {
      await failure(() => driver.registerSync(file, range), 'EINVAL');
      await failure(() => driver.register(file, range), 'EINVAL');
    }
    for (const wide of [2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 80n]) {
      for (const range of [{ offset: wide }, { size: wide }, { offset: wide, size: wide }]) {
        await expect(async () => driver.register(file, range)).rejects.toMatchObject({
          code: expect.stringMatching(/^(EINVAL|ERR_OUT_OF_RANGE)$/),
        });
      }
    }
    expect(driver.minors()).toEqual([]);
  });

  test('a directory, a socket and a fifo are EINVAL, at once and without a slot', async () => {
    const driver = bench.driver();
    const directory = bench.path('directory');
    mkdirSync(directory);
    await failure(() => driver.registerSync(directory), 'EINVAL');
    const socket = bench.path('socket');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    try {
      await failure(() => driver.registerSync(socket), 'EINVAL');
      await failure(() => driver.register(socket), 'EINVAL');
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    const fifo = bench.path('fifo');
    run('mkfifo', fifo);
    await failure(() => driver.registerSync(fifo), 'EINVAL');
    await failure(() => driver.register(fifo), 'EINVAL');
    expect(driver.minors()).toEqual([]);
  });

  test('a path that is not there is ENOENT and names it', async () => {
    const driver = bench.driver();
    const missing = bench.path('missing');
    const error = await failure(() => driver.registerSync(missing), 'ENOENT');
    expect(error.path).toBe(missing);
    await failure(() => driver.register(missing), 'ENOENT');
    await refusal(() => driver.registerSync('nul\0byte'));
  });

  test('B24: a full table of 16 is EBUSY, and a freed slot ends it', async () => {
    const driver = bench.driver();
    const files = images(17);
    for (const [i, file] of files.slice(0, 16).entries()) expect(driver.registerSync(file)).toBe(i);
    await failure(() => driver.registerSync(files[16] as string), 'EBUSY');
    await failure(() => driver.register(files[16] as string), 'EBUSY');
    expect(driver.registerSync(files[7] as string)).toBe(7);
    driver.deregister(9);
    expect(driver.registerSync(files[16] as string)).toBe(9);
  });

  test('minorCount sets the size of the table', async () => {
    const driver = bench.driver({ minorCount: 2 });
    const [a, b, c] = images(3) as [string, string, string];
    driver.registerSync(a);
    driver.registerSync(b);
    await failure(() => driver.registerSync(c), 'EBUSY');
    await failure(() => driver.openSync(2), 'ENXIO');
    const wide = bench.driver({ minorCount: 40 });
    expect(images(40).map((file) => wide.registerSync(file))).toEqual([...Array(40).keys()]);
  });

  test('B41: concurrent registrations of one file all get its one minor', async () => {
    const driver = bench.driver();
    const [file] = images(1) as [string];
    const minors = await Promise.all(Array.from({ length: 50 }, () => driver.register(file)));
    expect(new Set(minors)).toEqual(new Set([0]));
    expect(driver.minors()).toHaveLength(1);
  });

  test('drivers have tables of their own', () => {
    const [a, b] = images(2) as [string, string];
    const one = bench.driver();
    const two = bench.driver();
    expect(one.registerSync(a)).toBe(0);
    expect(two.registerSync(b)).toBe(0);
    expect(one.minors()[0]?.path).toBe(a);
    expect(two.minors()[0]?.path).toBe(b);
  });
});

describe('deregister', () => {
  test('B42: registrations are not counted, one deregister frees', async () => {
    const driver = bench.driver();
    const [file] = images(1) as [string];
    driver.registerSync(file);
    driver.registerSync(file);
    driver.deregister(0);
    expect(driver.minors()).toEqual([]);
    await failure(() => driver.openSync(0), 'ENXIO');
  });

  test('EBUSY while open, ENXIO when unused', async () => {
    const driver = bench.driver();
    const [file] = images(1) as [string];
    await failure(() => driver.deregister(0), 'ENXIO');
    driver.registerSync(file);
    const device = driver.openSync(0);
    await failure(() => driver.deregister(0), 'EBUSY');
    expect(driver.minors()).toHaveLength(1);
    device.closeSync();
    driver.deregister(0);
    await failure(() => driver.deregister(0), 'ENXIO');
    await failure(() => driver.deregister(15), 'ENXIO');
    await failure(() => driver.deregister(16), 'ENXIO');
  });
});

describe('minors()', () => {
  test('lists what is registered, lowest first, with the opens of each', () => {
    const driver = bench.driver();
    const [a, b] = images(2) as [string, string];
    expect(driver.minors()).toEqual([]);
    driver.registerSync(a);
    driver.registerSync(b, { offset: 512, size: 1024 });
    const first = bench.keep(driver.openSync(1));
    const second = driver.openSync(1);
    expect(driver.minors()).toEqual([
      { minor: 0, path: a, offset: 0, size: SIZE, source: 'file', type: 'file', openCount: 0 },
      { minor: 1, path: b, offset: 512, size: 1024, source: 'file', type: 'file', openCount: 2 },
    ]);
    second.closeSync();
    second.closeSync();
    expect(driver.minors()[1]?.openCount).toBe(1);
    first.closeSync();
    expect(driver.minors()[1]?.openCount).toBe(0);
  });

  test('gives a fresh list each time', () => {
    const driver = bench.driver();
    driver.registerSync(images(1)[0] as string);
    const list = driver.minors();
    list[0]!.path = 'changed';
    list.pop();
    expect(driver.minors()[0]?.path).not.toBe('changed');
  });
});

describe('identity', () => {
  test('B23: a minor keeps its file when the path is replaced or removed', () => {
    const driver = bench.driver();
    const before = pattern(SIZE, 1);
    const after = pattern(SIZE, 2);
    const file = bench.image(before);
    expect(driver.registerSync(file)).toBe(0);
    const replacement = bench.image(after);
    renameSync(replacement, file);
    const got = Buffer.alloc(SIZE);
    for (const mode of ['r', 'r+'] as const) {
      const device = driver.openSync(0, { mode });
      expect(device.readSync(got, 0)).toBe(SIZE);
      expect(got.equals(before)).toBe(true);
      if (mode === 'r+') device.writeSync(Buffer.alloc(512, 7), 0, { fua: true });
      device.closeSync();
    }
    expect(driver.registerSync(file)).toBe(1);
    const device = bench.keep(driver.openSync(1));
    device.readSync(got, 0);
    expect(got.equals(after)).toBe(true);
    rmSync(file);
    expect(bench.keep(driver.openSync(1)).size).toBe(SIZE);
  });

  test('B23: a relative path is resolved at register, not at open', () => {
    const driver = bench.driver();
    const content = pattern(4096);
    writeFileSync(bench.path('relative'), content);
    const home = process.cwd();
    try {
      process.chdir(bench.path('.'));
      driver.registerSync('relative');
    } finally {
      process.chdir(home);
    }
    const got = Buffer.alloc(4096);
    bench.keep(driver.openSync(0, { mode: 'r+' })).readSync(got, 0);
    expect(got.equals(content)).toBe(true);
  });
});
