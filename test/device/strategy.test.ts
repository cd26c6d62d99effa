// One buf as the kernel hands it to d_strategy: residuals, the end of the device, block numbers that cannot be.
import { describe, expect, test } from '@jest/globals';
import type { BlockDevice, BufRequest, BufResult, OpenOptions, RegisterOptions, Source } from 'rumpblk';
import { failure, thrownBy } from '../support/failure';
import { pattern, rig } from '../support/rig';

const bench = rig();
const SECTORS = 64;
const SIZE = SECTORS * 512;
const FORMS = ['strategySync', 'strategy'] as const;
const content = pattern(SIZE);

const cases = bench.grounds.flatMap((ground) => FORMS.map((form) => ({ ...ground, form })));

describe.each(cases)('$form under $name', ({ access, disk, form }) => {
  const open = (options: OpenOptions & RegisterOptions = {}, file = disk(content)): { device: BlockDevice; file: Source } => ({
    device: bench.device(file, { access, mode: 'r+', ...options }),
    file,
  });
  const call = async (device: BlockDevice, request: BufRequest): Promise<BufResult> => device[form](request);

  test('moves whole sectors, one, many, and the last', async () => {
    const { device, file } = open();
    for (const [blkno, sectors] of [
      [0, 1],
      [7, 5],
      [SECTORS - 1, 1],
      [0, SECTORS],
    ] as const) {
      const data = Buffer.alloc(sectors * 512);
      expect(await call(device, { op: 'read', blkno, data })).toEqual({ bcount: data.length, resid: 0 });
      expect(data.equals(content.subarray(blkno * 512, blkno * 512 + data.length))).toBe(true);
    }
    const data = pattern(1024, 2);
    expect(await call(device, { op: 'write', blkno: 10, data })).toEqual({ bcount: 1024, resid: 0 });
    expect(await call(device, { op: 'write', blkno: 20n, data, deferred: true })).toEqual({ bcount: 1024, resid: 0 });
    await device.flush();
    const expected = Buffer.from(content);
    data.copy(expected, 10 * 512);
    data.copy(expected, 20 * 512);
    expect(bench.bytes(file).equals(expected)).toBe(true);
  });

  test('takes lengths that are no multiple of a sector', async () => {
    const { device, file } = open();
    const got = Buffer.alloc(700, 1);
    expect(await call(device, { op: 'read', blkno: 3, data: got })).toEqual({ bcount: 700, resid: 0 });
    expect(got.equals(content.subarray(1536, 2236))).toBe(true);
    expect(await call(device, { op: 'write', blkno: 5, data: Buffer.alloc(3, 9) })).toEqual({ bcount: 3, resid: 0 });
    const expected = Buffer.from(content).fill(9, 2560, 2563);
    await device.flush();
    expect(bench.bytes(file).equals(expected)).toBe(true);
  });

  test('exactly at the end it is done with 0 bytes and no error', async () => {
    const { device, file } = open();
    const data = Buffer.alloc(1024, 5);
    expect(await call(device, { op: 'read', blkno: SECTORS, data })).toEqual({ bcount: 1024, resid: 1024 });
    expect(await call(device, { op: 'write', blkno: SECTORS, data })).toEqual({ bcount: 1024, resid: 1024 });
    expect(data.every((byte) => byte === 5)).toBe(true);
    expect(bench.bytes(file)).toHaveLength(SIZE);
  });

  test('beyond the end it is EINVAL and nothing moves', async () => {
    const { device, file } = open();
    for (const op of ['read', 'write'] as const) {
      for (const blkno of [SECTORS + 1, 2 ** 31, 2 ** 40]) {
        const data = Buffer.alloc(512, 5);
        const error = await failure(() => call(device, { op, blkno, data }), 'EINVAL');
        expect(error).toMatchObject({ blkno, bytesTransferred: 0, minor: 0, syscall: 'strategy' });
        expect(data.every((byte) => byte === 5)).toBe(true);
      }
    }
    expect(bench.bytes(file).equals(content)).toBe(true);
  });

  test('B39: over the end it is short, and the residual counts from what was asked', async () => {
    const { device, file } = open();
    const data = Buffer.alloc(4096, 5);
    expect(await call(device, { op: 'read', blkno: SECTORS - 3, data })).toEqual({ bcount: 4096, resid: 4096 - 1536 });
    expect(data.subarray(0, 1536).equals(content.subarray(SIZE - 1536))).toBe(true);
    expect(data.subarray(1536).every((byte) => byte === 5)).toBe(true);
    expect(await call(device, { op: 'write', blkno: SECTORS - 1, data: Buffer.alloc(4096, 6) })).toEqual({ bcount: 4096, resid: 3584 });
    await device.flush();
    const expected = Buffer.from(content).fill(6, SIZE - 512);
    expect(bench.bytes(file).equals(expected)).toBe(true);
  });

  test('B39: the same at an end inside a sector', async () => {
    const { device, file } = open({ size: SIZE - 100 });
    const data = Buffer.alloc(1024, 5);
    expect(await call(device, { op: 'read', blkno: SECTORS - 1, data })).toEqual({ bcount: 1024, resid: 612 });
    expect(await call(device, { op: 'write', blkno: SECTORS - 1, data: Buffer.alloc(1024, 6) })).toEqual({ bcount: 1024, resid: 612 });
    await failure(() => call(device, { op: 'read', blkno: SECTORS, data }), 'EINVAL');
    await device.flush();
    const expected = Buffer.from(content).fill(6, SIZE - 512, SIZE - 100);
    expect(bench.bytes(file).equals(expected)).toBe(true);
  });

  test('B4: block -1 is EINVAL and moves nothing, least of all the sector before the partition', async () => {
    const { device, file } = open({ offset: 8192, size: 4096 });
    for (const blkno of [-1, -2, -16, -(2 ** 40), -1n]) {
      for (const op of ['read', 'write'] as const) {
        const data = Buffer.alloc(512, 5);
        const error = await failure(() => call(device, { op, blkno, data }), 'EINVAL');
        expect(error.blkno).toBe(Number(blkno));
        expect(data.every((byte) => byte === 5)).toBe(true);
      }
    }
    await device.flush();
    expect(bench.bytes(file).equals(content)).toBe(true);
  });

  test('B5: block numbers whose bytes overflow are refused and move nothing', async () => {
    const { device, file } = open();
    const huge = [
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
      ...[53n, 54n, 55n, 56n, 63n, 64n, 80n].flatMap((bits) => [1n << bits, (1n << bits) - 1n, (1n << bits) + 1n, -(1n << bits)]),
    ];
    for (const op of ['read', 'write'] as const) {
      for (const blkno of huge) {
        const data = Buffer.alloc(512, 5);
        const error = await thrownBy(() => call(device, { op, blkno, data }));
        expect((error as NodeJS.ErrnoException).code).toMatch(/^(EINVAL|ERR_OUT_OF_RANGE)$/);
        expect(data.every((byte) => byte === 5)).toBe(true);
      }
    }
    await device.flush();
    expect(bench.bytes(file).equals(content)).toBe(true);
  });

  test('B2: a device behind an offset reaches its own last sector and not the next one', async () => {
    const { device, file } = open({ offset: SIZE - 1024, size: 512 });
    const data = Buffer.alloc(512);
    expect(await call(device, { op: 'read', blkno: 0, data })).toEqual({ bcount: 512, resid: 0 });
    expect(data.equals(content.subarray(SIZE - 1024, SIZE - 512))).toBe(true);
    expect(await call(device, { op: 'write', blkno: 1, data })).toEqual({ bcount: 512, resid: 512 });
    await failure(() => call(device, { op: 'write', blkno: 2, data }), 'EINVAL');
    expect(bench.bytes(file).equals(content)).toBe(true);
  });

  test('takes every kind of view, at its own place in its memory', async () => {
    const { device } = open();
    const memory = new ArrayBuffer(4096);
    const views = [
      new Uint8Array(memory, 512, 512),
      new Uint16Array(memory, 1024, 256),
      new Float64Array(memory, 1536, 64),
      new BigInt64Array(memory, 2048, 64),
      new DataView(memory, 2560 + 1, 511),
    ];
    for (const [i, data] of views.entries()) {
      const { bcount } = await call(device, { op: 'read', blkno: i, data });
      expect(bcount).toBe(data.byteLength);
      const got = Buffer.from(memory, data.byteOffset, data.byteLength);
      expect(got.equals(content.subarray(i * 512, i * 512 + data.byteLength))).toBe(true);
    }
    const all = Buffer.from(memory);
    expect(all.subarray(0, 512).every((byte) => byte === 0)).toBe(true);
    expect(all.subarray(3072).every((byte) => byte === 0)).toBe(true);
  });

  test('a zero-length buf does nothing', async () => {
    const { device } = open();
    expect(await call(device, { op: 'read', blkno: 1, data: Buffer.alloc(0) })).toEqual({ bcount: 0, resid: 0 });
    expect(device.driver.counters().ioTotal).toBe(0);
  });
});
