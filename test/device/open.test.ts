// Opening registered minors and paths: modes, counts, what an open says of itself, and what is refused. Locks are in locks.test.ts.
import { chmodSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type BlockDevice, type OpenOptions, open, openSync } from 'rumpblk';
import { reportsFrom } from '../support/child';
import { failure } from '../support/failure';
import { ability, peer, run, testWith } from '../support/peers';
import { ACCESSES, KiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * KiB;
const MODE_ERRORS = ['EACCES', 'EROFS'];

describe('open', () => {
  test('B27: a minor that is not registered, or not in the table, is ENXIO', async () => {
    const driver = bench.driver();
    for (const minor of [0, 15, 16, 255, 2 ** 31 - 1]) {
      await failure(() => driver.openSync(minor), 'ENXIO');
      await failure(() => driver.open(minor), 'ENXIO');
    }
  });

  test('says what it opened', async () => {
    const driver = bench.driver();
    const file = bench.image(pattern(SIZE));
    driver.registerSync(bench.image(pattern(512)));
    const minor = await driver.register(file, { offset: 512 });
    const device = bench.keep(await driver.open(minor));
    expect(device).toMatchObject({ minor: 1, path: file, size: SIZE - 512, sectorSize: 512, mode: 'r', cache: 'writeback', closed: false });
    expect(device.driver).toBe(driver);
    expect(ACCESSES).toContain(device.access);
    const raw = bench.keep(driver.openSync(minor, { mode: 'r+', raw: true, access: 'pio', lock: false }));
    expect(raw).toMatchObject({ mode: 'r+', access: 'pio', cache: 'writethrough' });
    const unsafe = bench.keep(driver.openSync(minor, { raw: true, cache: 'unsafe', access: 'mmap' }));
    expect(unsafe).toMatchObject({ access: 'mmap', cache: 'unsafe' });
  });

  test('B16: each open is counted, closing one leaves the others working', async () => {
    const driver = bench.driver();
    const content = pattern(SIZE);
    driver.registerSync(bench.image(content));
    const got = Buffer.alloc(SIZE);
    for (const access of ACCESSES) {
      const [first, second] = [driver.openSync(0, { access, mode: 'r+' }), driver.openSync(0, { access, raw: true })];
      expect(driver.minors()[0]?.openCount).toBe(2);
      await second.close();
      expect(driver.minors()[0]?.openCount).toBe(1);
      expect(first.readSync(got, 0)).toBe(SIZE);
      expect(got.equals(content)).toBe(true);
      await first.close();
      expect(driver.minors()[0]?.openCount).toBe(0);
    }
  });

  test('B19: many concurrent first opens all work and are all counted', async () => {
    const driver = bench.driver();
    const content = pattern(SIZE);
    driver.registerSync(bench.image(content));
    const devices = await Promise.all(Array.from({ length: 40 }, () => driver.open(0, { mode: 'r+' })));
    expect(driver.minors()[0]?.openCount).toBe(40);
    const got = await Promise.all(devices.map((device) => device.read(Buffer.alloc(SIZE), 0)));
    for (const { buffer } of got) expect(buffer.equals(content)).toBe(true);
    await Promise.all(devices.map((device) => device.close()));
    expect(driver.minors()[0]?.openCount).toBe(0);
  });

  test('the driver cannot be closed under an open device', async () => {
    const driver = bench.driver();
    driver.registerSync(bench.image(pattern(SIZE)));
    const device = driver.openSync(0);
    await failure(() => driver.close(), 'EBUSY');
    expect(device.readSync(Buffer.alloc(512), 0)).toBe(512);
    device.closeSync();
    driver.close();
    driver.close();
    await failure(() => driver.openSync(0), 'EBADF');
    await failure(() => driver.register(bench.image(pattern(512))), 'EBADF');
  });
});

describe.each(ACCESSES)('modes under %s', (access) => {
  const writes: [string, (device: BlockDevice, data: Buffer) => unknown][] = [
    ['writeSync', (device, data) => device.writeSync(data, 0)],
    ['write', (device, data) => device.write(data, 0)],
    ['write fua', (device, data) => device.write(data, 0, { fua: true })],
    ['strategySync', (device, data) => device.strategySync({ op: 'write', blkno: 0, data })],
    ['strategy', (device, data) => device.strategy({ op: 'write', blkno: 0, data, deferred: true })],
  ];

  test.each(writes)("B15: %s to an 'r' device is refused and nothing reaches the file", async (_name, write) => {
    const content = pattern(SIZE);
    const file = bench.image(content);
    const device = bench.device(file, { access });
    await failure(() => write(device, Buffer.alloc(512, 9)), ...MODE_ERRORS);
    const got = Buffer.alloc(512);
    device.readSync(got, 0);
    expect(got.equals(content.subarray(0, 512))).toBe(true);
    await device.close();
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test("B15: an 'r' open first does not make a later 'r+' open lose its writes", async () => {
    const file = bench.image(pattern(SIZE));
    const driver = bench.driver();
    driver.registerSync(file);
    const reader = bench.keep(driver.openSync(0, { access }));
    const writer = bench.keep(driver.openSync(0, { access, mode: 'r+' }));
    const data = pattern(8192, 99);
    reader.readSync(Buffer.alloc(8192), 4096);
    await writer.write(data, 4096);
    const got = Buffer.alloc(8192);
    reader.readSync(got, 4096);
    expect(got.equals(data)).toBe(true);
    await writer.close();
    expect(readFileSync(file).subarray(4096, 12288).equals(data)).toBe(true);
    await failure(() => reader.writeSync(data, 0), ...MODE_ERRORS);
  });
});

describe('permissions of the host', () => {
  const root = ability('user root, to become somebody else', () => process.getuid?.() === 0);

  testWith(root)("EACCES: 'r+' on a file that may only be read, and reading still works", async () => {
    const file = bench.image(pattern(SIZE));
    const secret = bench.image(pattern(SIZE));
    chmodSync(bench.path('.'), 0o755);
    chmodSync(file, 0o444);
    chmodSync(secret, 0o000);
    const [result] = await reportsFrom(
      `process.setgid(65534); process.setuid(65534);
       const driver = new BlockDriver();
       const minor = driver.registerSync(args.file);
       report({
         writer: await attempt(() => driver.openSync(minor, { mode: 'r+' })),
         promised: await attempt(() => driver.open(minor, { mode: 'r+' })),
         read: driver.openSync(minor).readSync(Buffer.alloc(512), 0),
         secret: await attempt(() => driver.registerSync(args.secret)),
       });`,
      { args: { file, secret } },
    );
    expect(result).toMatchObject({
      writer: { code: 'EACCES', brand: true },
      promised: { code: 'EACCES', brand: true },
      read: 512,
      secret: { code: 'EACCES', brand: true },
    });
  });

  const mounts = ability('mount namespaces', () => run('unshare', '-m', 'true') === '');
  testWith(peer('unshare', 'util-linux'), mounts)("EROFS: 'r+' on a read-only file system", async () => {
    const file = bench.image(pattern(SIZE));
    const directory = bench.path('.');
    const script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"';
    const [result] = await reportsFrom(
      `const driver = new BlockDriver();
       const minor = driver.registerSync(args);
       report({
         writer: await attempt(() => driver.openSync(minor, { mode: 'r+' })),
         path: await attempt(() => open(args, { mode: 'r+' })),
         read: driver.openSync(minor).readSync(Buffer.alloc(512), 0),
       });`,
      { args: file, under: ['unshare', '-m', 'sh', '-c', script, 'sh', directory] },
    );
    expect(result).toMatchObject({ writer: { code: 'EROFS', brand: true }, path: { code: 'EROFS' }, read: 512 });
  });
});

describe('descriptors', () => {
  const held = (file: string): number => {
    return readdirSync('/proc/self/fd').filter((name) => {
      try {
        return readlinkSync(`/proc/self/fd/${name}`).startsWith(file);
      } catch {
        return false;
      }
    }).length;
  };

  test.each([
    { mode: 'r' },
    { mode: 'r+' },
    { mode: 'r+', access: 'mmap' },
    { mode: 'r+', access: 'pio', direct: true },
    { mode: 'r+', lock: false },
  ] as OpenOptions[])('B16, B18: a closed private device holds none, opened with %j', async (options) => {
    const file = bench.image(pattern(SIZE));
    const devices = [openSync(file, options)];
    devices[0]?.readSync(Buffer.alloc(512), 0);
    expect(held(file)).toBeGreaterThan(0);
    devices[0]?.closeSync();
    expect(held(file)).toBe(0);
    devices.push(await open(file, options));
    await devices[1]?.read(Buffer.alloc(4096), 0);
    await devices[1]?.close();
    expect(held(file)).toBe(0);
    expect(devices.map(({ closed }) => closed)).toEqual([true, true]);
  });

  test('a deregistered minor and a closed driver hold none, whoever still has the closed device', () => {
    const [first, second] = [bench.image(pattern(SIZE)), bench.image(pattern(SIZE))];
    const driver = bench.driver();
    const devices = [first, second].map((file) => driver.openSync(driver.registerSync(file), { mode: 'r+' }));
    for (const device of devices) device.closeSync();
    expect([held(first), held(second)]).toEqual([1, 1]);
    driver.deregister(0);
    expect([held(first), held(second)]).toEqual([0, 1]);
    driver.close();
    expect([held(first), held(second)]).toEqual([0, 0]);
    expect(devices.map(({ closed }) => closed)).toEqual([true, true]);
  });

  test('failed opens and registrations leave none', async () => {
    const file = bench.image(pattern(SIZE));
    const writer = openSync(file, { mode: 'r+' });
    const before = held(file);
    for (let i = 0; i < 5; i += 1) {
      await failure(() => openSync(file, { mode: 'r+' }), 'EBUSY');
      await failure(() => open(file, { access: 'pio', direct: true }), 'EBUSY');
      await failure(() => open(file, { offset: SIZE + 1 }), 'EINVAL');
    }
    expect(held(file)).toBe(before);
    await writer.close();
  });
});

describe('open(path)', () => {
  test('opens a range of a file on a minor of its own', async () => {
    const content = pattern(SIZE);
    const file = bench.image(content);
    const whole = bench.keep(await open(file));
    const part = bench.keep(openSync(Buffer.from(file), { offset: 1000, size: 3000n }));
    expect([whole.size, part.size]).toEqual([SIZE, 3000]);
    expect(part.path).toBe(file);
    const got = Buffer.alloc(4000);
    expect(part.readSync(got, 0)).toBe(3000);
    expect(got.subarray(0, 3000).equals(content.subarray(1000, 4000))).toBe(true);
    await whole.close();
    expect(part.readSync(got, 0)).toBe(3000);
  });

  test('B24: works for a thousand at once, none of them in the table', async () => {
    const file = bench.image(pattern(SIZE));
    const first = await open(file);
    const devices = await Promise.all(Array.from({ length: 1000 }, () => open(file)));
    expect(first.driver.minors()).toEqual([]);
    for (const device of devices) expect(device.readSync(Buffer.alloc(512), SIZE - 512)).toBe(512);
    await Promise.all([first, ...devices].map((device) => device.close()));
    await failure(() => devices[0]?.readSync(Buffer.alloc(1), 0), 'EBADF');
  });

  test('uses the driver it is given, outside its table', async () => {
    const driver = bench.driver({ minorCount: 1, faults: { rate: 10000, seed: 1 } });
    const file = bench.image(pattern(SIZE));
    const options: OpenOptions = { access: 'pio' };
    const device = await open(file, { ...options, driver });
    expect(device.driver).toBe(driver);
    expect(device.minor).toBeLessThan(0);
    expect(driver.minors()).toEqual([]);
    const error = await failure(() => device.read(Buffer.alloc(512), 0), 'EIO');
    expect(error.injected).toBe(true);
    expect(driver.registerSync(file)).toBe(0);
    expect(driver.minors()).toMatchObject([{ minor: 0, openCount: 0 }]);
    await failure(() => driver.close(), 'EBUSY');
    await device.close();
    expect(driver.counters().faultsInjected).toBe(1);
  });

  test('fails as register and open do, and leaves nothing behind', async () => {
    const driver = bench.driver();
    const file = bench.image(pattern(SIZE));
    await failure(() => open(bench.path('missing'), { driver }), 'ENOENT');
    await failure(() => openSync(bench.path('.'), { driver }), 'EINVAL');
    await failure(() => open(file, { driver, offset: SIZE, size: 1 }), 'EINVAL');
    driver.close();
    await failure(() => open(file, { driver }), 'EBADF');
  });
});
