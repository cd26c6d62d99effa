// The seed's fault generator, bit for bit, and where it draws.
import { describe, expect, test } from '@jest/globals';
import { BlockDriver, type BlockDevice, type FaultOptions } from 'rumpblk';
import { failure, refusal, thrownBy } from '../support/failure';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 256 * KiB;
const content = pattern(SIZE);

// Failing requests among the first 200, from two independent programs.
const AT_2500 =
  '1 5 10 11 17 21 22 23 25 27 30 31 33 34 39 43 47 48 50 52 55 60 61 62 67 73 76 78 79 80 81 86 89 108 113 114 117 120 121 122 132 133 ' +
  '137 151 153 154 159 160 162 167 169 171 174 176 178 181 188 190 192 195 196';
const GOLDEN: [rate: number, indices: number[]][] = [
  [0, []],
  [100, [48, 120, 167, 169, 174]],
  [2500, AT_2500.split(' ').map(Number)],
  [9999, [...Array(200).keys()]],
  [10000, [...Array(200).keys()]],
];

/** Which of the first `count` requests fail, by the arithmetic of section 4 written out again. */
function expected({ rate, seed }: Required<FaultOptions>, count: number): number[] {
  let state = seed;
  return [...Array(count).keys()].filter(() => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state & 0x7fffffff) % 10000 < rate;
  });
}

function failing(device: BlockDevice, count: number): number[] {
  const data = Buffer.alloc(512);
  return [...Array(count).keys()].filter((i) => {
    try {
      device.strategySync({ op: 'read', blkno: i % 512, data });
      return false;
    } catch (error) {
      if ((error as { injected?: boolean }).injected !== true) throw error;
      return true;
    }
  });
}

describe('the golden sequence of seed 1', () => {
  test.each(bench.media.flatMap(({ name, disk }) => GOLDEN.map(([rate, indices]) => ({ name, disk, rate, indices }))))(
    'at $rate of 10000, on $name',
    ({ disk, rate, indices }) => {
      const device = bench.device(disk(content), {}, { faults: { rate, seed: 1 } });
      expect(failing(device, 200)).toEqual(indices);
      expect(device.driver.faults).toMatchObject({ rate, seed: 1, injected: indices.length });
      expect(device.driver.counters()).toMatchObject({ ioTotal: 200 - indices.length, faultsInjected: indices.length });
    },
  );

  test('at 9999 the first survivor is request 5977', () => {
    const device = bench.device(bench.image(content), {}, { faults: { rate: 9999, seed: 1 } });
    const failed = new Set(failing(device, 6000));
    expect([...Array(6000).keys()].filter((i) => !failed.has(i))).toEqual([5977]);
  });

  test.each(bench.grounds)('does not depend on what is below: $name', ({ access, disk }) => {
    const device = bench.device(disk(content), { access }, { faults: { rate: 2500, seed: 1 } });
    expect(failing(device, 200)).toEqual(GOLDEN[2]?.[1]);
  });
});

test.each([0, 2, 42, 2 ** 31, 2 ** 32 - 1])("F3: the stream of seed %d is the seed's, low bits and all", (seed) => {
  for (const rate of [1, 100, 5000]) {
    const device = bench.device(bench.image(content), {}, { faults: { rate, seed } });
    expect(failing(device, 3000)).toEqual(expected({ rate, seed }, 3000));
  }
});

describe('an injected failure', () => {
  test.each(bench.grounds)('F1: is EIO, marked, and moves no byte, under $name', async ({ access, disk }) => {
    const file = disk(content);
    const device = bench.device(file, { access, mode: 'r+' }, { faults: { rate: 10000, seed: 1 } });
    const data = Buffer.alloc(1024, 5);
    const calls: (() => unknown)[] = [
      () => device.strategySync({ op: 'read', blkno: 2, data }),
      () => device.strategy({ op: 'read', blkno: 2, data }),
      () => device.strategy({ op: 'write', blkno: 2, data, deferred: true }),
      () => device.readSync(data, 1024),
      () => device.read(data, 1024),
      () => device.writeSync(data, 1024, { fua: true }),
      () => device.write(data, 1024),
    ];
    for (const call of calls) {
      const error = await failure(call, 'EIO');
      expect(error).toMatchObject({
        errno: -5,
        syscall: 'strategy',
        injected: true,
        bytesTransferred: 0,
        blkno: 2,
        minor: 0,
        path: device.path,
      });
      expect(data.every((byte) => byte === 5)).toBe(true);
    }
    await device.flush();
    expect(bench.bytes(file).equals(content)).toBe(true);
    expect(device.driver.faults.injected).toBe(calls.length);
    expect(device.driver.counters()).toMatchObject({ ioTotal: 0, ioAsync: 0, bytesRead: 0, bytesWritten: 0, faultsInjected: calls.length });
  });
});

describe('draws', () => {
  test('F5: come before the bounds check, one for each call, valid or not', async () => {
    const device = bench.device(bench.image(content), { mode: 'r+' }, { faults: { rate: 2500, seed: 1 } });
    const data = Buffer.alloc(512);
    const codes: unknown[] = [];
    for (let i = 0; i < 12; i += 1) {
      const blkno = i % 2 ? -1 : 100000;
      codes.push(((await thrownBy(() => device.strategySync({ op: 'write', blkno, data }))) as NodeJS.ErrnoException).code);
    }
    const failed = [1, 5, 10, 11];
    expect(codes).toEqual([...Array(12).keys()].map((i) => (failed.includes(i) ? 'EIO' : 'EINVAL')));
    expect(failing(device, 10)).toEqual([5, 9]);
  });

  test('are shared by reads and writes, by every device of the driver, and by no other driver', () => {
    const driver = bench.driver({ faults: { rate: 2500, seed: 1 } });
    const other = bench.device(bench.image(content), {}, { faults: { rate: 2500, seed: 1 } });
    const devices = [0, 1, 2].map(() => bench.keep(driver.openSync(driver.registerSync(bench.image(content)), { mode: 'r+' })));
    const data = Buffer.alloc(512);
    const failed = [...Array(200).keys()].filter((i) => {
      try {
        const device = devices[i % 3]!;
        if (i % 2) device.writeSync(data, 512);
        else device.readSync(data, 512);
        return false;
      } catch {
        return true;
      }
    });
    expect(failed).toEqual(GOLDEN[2]?.[1]);
    expect(failing(other, 200)).toEqual(GOLDEN[2]?.[1]);
  });

  test.each(bench.media)('F2: of promise forms come in the order of the calls, whatever thread serves them, on $name', async ({ disk }) => {
    const device = bench.device(
      disk(content),
      { access: 'pio', mode: 'r+' },
      { faults: { rate: 2500, seed: 1 }, workers: 8, queueDepth: 3 },
    );
    const outcomes = await Promise.allSettled(
      Array.from({ length: 200 }, (_, i) => {
        if (i % 3 === 0) return device.read(Buffer.alloc(20000), i * 512);
        if (i % 3 === 1) return device.write(Buffer.alloc(100), i * 512);
        return device.strategy({ op: 'read', blkno: i, data: Buffer.alloc(512) });
      }),
    );
    expect([...outcomes.keys()].filter((i) => outcomes[i]?.status === 'rejected')).toEqual(GOLDEN[2]?.[1]);
    expect(device.driver.counters()).toMatchObject({ ioTotal: 139, faultsInjected: 61 });
  });

  test.each(bench.media)('are one for each chunk of a raw transfer, and stop where it stops, on $name', async ({ disk }) => {
    const device = bench.device(disk(content), { raw: true }, { faults: { rate: 2500, seed: 1 } });
    const data = Buffer.alloc(SIZE);
    expect((await failure(() => device.readSync(data, 0), 'EIO')).bytesTransferred).toBe(64 * KiB);
    expect((await failure(() => device.read(data, 0), 'EIO')).bytesTransferred).toBe(192 * KiB);
    expect(device.readSync(data, 0)).toBe(SIZE);
    expect((await failure(() => device.readSync(data, 0), 'EIO')).bytesTransferred).toBe(0);
  });

  test('are not made by flush, open, close, ioctl, empty transfers and refused arguments', async () => {
    const driver = bench.driver({ faults: { rate: 10000, seed: 1 } });
    driver.registerSync(bench.image(content));
    const device = driver.openSync(0, { mode: 'r+' });
    await device.flush();
    device.flushSync();
    await device.ioctl('DIOCCACHESYNC');
    device.ioctl('DIOCGDINFO');
    device.readSync(Buffer.alloc(0), 0);
    await refusal(() => device.readSync(Buffer.alloc(512), -1));
    await device.close();
    expect(driver.faults.injected).toBe(0);
    driver.faults.set({ rate: 2500, seed: 1 });
    const second = bench.keep(await driver.open(0));
    await second.flush();
    expect(failing(second, 200)).toEqual(GOLDEN[2]?.[1]);
  });
});

describe('at run time', () => {
  test('set begins a new sequence, clear ends it', () => {
    const device = bench.device(bench.image(content));
    const { faults } = device.driver;
    expect(faults.rate).toBe(0);
    expect(failing(device, 50)).toEqual([]);
    for (let round = 0; round < 2; round += 1) {
      faults.set({ rate: 2500, seed: 1 });
      expect(failing(device, 200)).toEqual(GOLDEN[2]?.[1]);
    }
    faults.clear();
    expect(faults.rate).toBe(0);
    expect(failing(device, 50)).toEqual([]);
    faults.set({ rate: 0, seed: 1 });
    expect(failing(device, 50)).toEqual([]);
  });

  test('a seed that was not given is random, readable, and replays the run', () => {
    const device = bench.device(bench.image(content), {}, { faults: { rate: 5000 } });
    const { seed, rate } = device.driver.faults;
    expect(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32).toBe(true);
    const first = failing(device, 200);
    expect(first).toEqual(expected({ rate, seed }, 200));
    const seeds = new Set(Array.from({ length: 5 }, () => bench.driver({ faults: { rate: 1 } }).faults.seed));
    expect(seeds.size).toBeGreaterThan(1);
  });

  test('F4: rates and seeds outside their range are refused', async () => {
    const driver = bench.driver();
    for (const wrong of [{ rate: -1 }, { rate: 10001 }, { rate: 0.5 }, { rate: NaN }, { rate: 1, seed: -1 }, { rate: 1, seed: 2 ** 32 }]) {
      expect(await refusal(() => driver.faults.set(wrong))).toBe('ERR_OUT_OF_RANGE');
      expect(await refusal(() => new BlockDriver({ faults: wrong }))).toBe('ERR_OUT_OF_RANGE');
    }
    for (const wrong of [undefined, null, 5, {}, { rate: '1' }, { seed: 1 }, { rate: 1, seed: null }]) {
      expect(await refusal(() => driver.faults.set(wrong as FaultOptions))).toBe('ERR_INVALID_ARG_TYPE');
    }
    expect(driver.faults.rate).toBe(0);
  });
});

describe('fromEnv', () => {
  const from = (env: NodeJS.ProcessEnv): BlockDriver => {
    const driver = BlockDriver.fromEnv(env);
    bench.keep({ close: async () => driver.close() });
    return driver;
  };

  test('takes rate and seed', () => {
    const driver = from({ RUMP_BLKFAIL: '2500', RUMP_BLKFAIL_SEED: '1' });
    const device = bench.keep(driver.openSync(driver.registerSync(bench.image(content))));
    expect(failing(device, 200)).toEqual(GOLDEN[2]?.[1]);
  });

  test.each([
    ['0', 0],
    ['1', 1],
    ['10000', 10000],
    ['10001', 10000],
    ['2147483648', 10000],
    ['4294967296', 10000],
    ['99999999999999999999', 10000],
  ])('F4: RUMP_BLKFAIL %s is a rate of %d', (value, rate) => {
    expect(from({ RUMP_BLKFAIL: value }).faults.rate).toBe(rate);
  });

  test.each(['-1', 'x', '12abc', '', ' ', '1.5', '1e3', '0x10', 'NaN'])('F4: RUMP_BLKFAIL %j is refused', async (value) => {
    expect(await refusal(() => BlockDriver.fromEnv({ RUMP_BLKFAIL: value }))).toBe('ERR_INVALID_ARG_VALUE');
  });

  test('the seed counts only with a rate', () => {
    expect(from({ RUMP_BLKFAIL_SEED: '7' }).faults.rate).toBe(0);
    expect(from({ RUMP_BLKFAIL: '1', RUMP_BLKFAIL_SEED: '4294967295' }).faults.seed).toBe(4294967295);
  });

  test.each([{ RUMP_BLKFAIL: '1' }, {}])('a bad seed is refused, with and without a rate: %j', async (env) => {
    for (const seed of ['x', '', '-1', '4294967296']) {
      expect(await refusal(() => BlockDriver.fromEnv({ ...env, RUMP_BLKFAIL_SEED: seed }))).toBe('ERR_INVALID_ARG_VALUE');
    }
  });

  test('reads the environment of the process when given none', () => {
    process.env['RUMP_BLKFAIL'] = '123';
    try {
      const driver = BlockDriver.fromEnv();
      expect(driver.faults.rate).toBe(123);
      driver.close();
    } finally {
      delete process.env['RUMP_BLKFAIL'];
    }
    const driver = BlockDriver.fromEnv({});
    expect(driver.faults.rate).toBe(0);
    driver.close();
  });
});
