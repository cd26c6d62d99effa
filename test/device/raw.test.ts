// The character device: physio's sector-aligned positions and chunks of at most 64 KiB, one after the other.
import { describe, expect, test } from '@jest/globals';
import { failure } from '../support/failure';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 512 * KiB;
const CHUNK = 64 * KiB;
const content = pattern(SIZE);

describe.each(bench.grounds)('raw under $name', ({ access, disk }) => {
  const raw = { access, mode: 'r+', raw: true } as const;

  test('a position inside a sector is EINVAL and moves nothing', async () => {
    const file = disk(content);
    const device = bench.device(file, raw);
    for (const position of [1, 511, 513, 1000, SIZE - 1, BigInt(100)]) {
      const data = Buffer.alloc(512, 5);
      await failure(() => device.readSync(data, position), 'EINVAL');
      await failure(() => device.read(data, position), 'EINVAL');
      await failure(() => device.writeSync(data, position), 'EINVAL');
      await failure(() => device.write(data, position), 'EINVAL');
      expect(data.every((byte) => byte === 5)).toBe(true);
    }
    expect(device.driver.counters().ioTotal).toBe(0);
    expect(bench.bytes(file).equals(content)).toBe(true);
  });

  test.each([
    [512, 0, 1],
    [100, 512, 1],
    [CHUNK, 0, 1],
    [CHUNK, 512, 1],
    [CHUNK + 1, 0, 2],
    [3 * CHUNK + 512, 1024, 4],
    [SIZE, 0, 8],
  ])('%d bytes at %d are %d bufs', async (length, position, bufs) => {
    const file = disk(content);
    const device = bench.device(file, raw);
    const got = Buffer.alloc(length);
    expect(device.readSync(got, position)).toBe(length);
    expect(got.equals(content.subarray(position, position + length))).toBe(true);
    expect(device.driver.counters()).toMatchObject({ ioTotal: bufs, bytesRead: length });
    expect((await device.read(got.fill(0), position)).bytesRead).toBe(length);
    expect(got.equals(content.subarray(position, position + length))).toBe(true);
    expect(device.driver.counters().ioTotal).toBe(2 * bufs);
    const data = pattern(length, 2);
    expect((await device.write(data, position)).bytesWritten).toBe(length);
    expect(device.driver.counters()).toMatchObject({ ioTotal: 3 * bufs, bytesWritten: length, ioAsync: 0 });
    const expected = Buffer.from(content);
    data.copy(expected, position);
    expect(bench.bytes(file).equals(expected)).toBe(true);
  });

  test('the block node makes one buf of the same', () => {
    const device = bench.device(disk(content), { access });
    device.readSync(Buffer.alloc(SIZE), 0);
    expect(device.driver.counters().ioTotal).toBe(1);
  });

  test('B39: over the end the count is short, at the end 0, beyond it EINVAL', async () => {
    const device = bench.device(disk(content), { ...raw, size: 3 * CHUNK + 512 });
    const got = Buffer.alloc(4 * CHUNK, 5);
    expect(device.readSync(got, CHUNK)).toBe(2 * CHUNK + 512);
    expect(got.subarray(0, 2 * CHUNK + 512).equals(content.subarray(CHUNK, 3 * CHUNK + 512))).toBe(true);
    expect(got.subarray(2 * CHUNK + 512).every((byte) => byte === 5)).toBe(true);
    expect(device.readSync(got, 3 * CHUNK + 512)).toBe(0);
    expect(await device.write(got, 3 * CHUNK)).toMatchObject({ bytesWritten: 512 });
    await failure(() => device.readSync(got, 3 * CHUNK + 1024), 'EINVAL');
  });

  test('F1: the first failure ends it, with what the chunks before it moved', async () => {
    const file = disk(content);
    // With seed 1 and rate 2500 the draws 0, 2, 3, 4 pass and 1 and 5 fail.
    const device = bench.device(file, raw, { faults: { rate: 2500, seed: 1 } });
    const got = Buffer.alloc(4 * CHUNK, 5);
    const read = await failure(() => device.readSync(got, CHUNK), 'EIO');
    expect(read).toMatchObject({ injected: true, bytesTransferred: CHUNK, blkno: (2 * CHUNK) / 512 });
    expect(got.subarray(0, CHUNK).equals(content.subarray(CHUNK, 2 * CHUNK))).toBe(true);
    expect(got.subarray(CHUNK).every((byte) => byte === 5)).toBe(true);
    expect(device.driver.counters()).toMatchObject({ ioTotal: 1, bytesRead: CHUNK, faultsInjected: 1 });
    const data = pattern(6 * CHUNK, 3);
    const write = await failure(() => device.write(data, 0), 'EIO');
    expect(write).toMatchObject({ injected: true, bytesTransferred: 3 * CHUNK, blkno: (3 * CHUNK) / 512 });
    expect(device.driver.counters()).toMatchObject({ ioTotal: 4, bytesWritten: 3 * CHUNK, faultsInjected: 2 });
    const expected = Buffer.from(content);
    data.copy(expected, 0, 0, 3 * CHUNK);
    expect(bench.bytes(file).equals(expected)).toBe(true);
  });
});

test('strategy of a raw open takes one buf of any length', async () => {
  const device = bench.device(bench.image(content), { raw: true });
  const data = Buffer.alloc(SIZE - 512);
  expect(await device.strategy({ op: 'read', blkno: 1, data })).toEqual({ bcount: SIZE - 512, resid: 0 });
  expect(data.equals(content.subarray(512))).toBe(true);
  expect(device.driver.counters().ioTotal).toBe(1);
});
