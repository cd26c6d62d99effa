// read and write of the block node: any byte range, parts of views, and the end of the device.
import { describe, expect, test } from '@jest/globals';
import { failure } from '../support/failure';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 96 * KiB + 77;
const content = pattern(SIZE);

describe.each(bench.grounds)('under $name', ({ access, disk }) => {
  test('reads any range, aligned or not', async () => {
    const device = bench.device(disk(content), { access }, { windowSize: 8 * KiB });
    for (const [position, length] of [
      [0, 1],
      [1, 511],
      [511, 2],
      [8191, 2],
      [4095, 30000],
      [SIZE - 1, 1],
      [0, SIZE],
    ] as const) {
      const got = Buffer.alloc(length);
      expect(device.readSync(got, position)).toBe(length);
      expect(got.equals(content.subarray(position, position + length))).toBe(true);
      const result = await device.read(got.fill(0), BigInt(position));
      expect(result.bytesRead).toBe(length);
      expect(result.buffer).toBe(got);
      expect(got.equals(content.subarray(position, position + length))).toBe(true);
    }
  });

  test('writes any range, and nothing beside it', async () => {
    const file = disk(content);
    const device = bench.device(file, { access, mode: 'r+' }, { windowSize: 8 * KiB });
    const expected = Buffer.from(content);
    for (const [i, [position, length]] of (
      [
        [0, 1],
        [1, 511],
        [511, 2],
        [8191, 2],
        [4095, 30000],
        [SIZE - 1, 1],
      ] as const
    ).entries()) {
      const data = pattern(length, 10 + i);
      data.copy(expected, position);
      if (i % 2) expect(device.writeSync(data, position)).toBe(length);
      else expect(await device.write(data, position)).toEqual({ bytesWritten: length, buffer: data });
      await device.flush();
      expect(bench.bytes(file).equals(expected)).toBe(true);
    }
  });

  test('offset and length choose the part of the view', async () => {
    const file = disk(content);
    const device = bench.device(file, { access, mode: 'r+' });
    const got = Buffer.alloc(100, 1);
    expect(device.readSync(got, 10, { offset: 20, length: 30 })).toBe(30);
    expect(await device.read(got, 500, { offset: 90 })).toMatchObject({ bytesRead: 10 });
    const expected = Buffer.alloc(100, 1);
    content.copy(expected, 20, 10, 40);
    content.copy(expected, 90, 500, 510);
    expect(got.equals(expected)).toBe(true);
    const words = new Uint32Array([1, 2, 3, 4]);
    expect(device.writeSync(words, 0, { offset: 4, length: 8 })).toBe(8);
    expect(await device.write(words, 100, { offset: 16 })).toMatchObject({ bytesWritten: 0 });
    expect(device.readSync(got, 0, { length: 8 })).toBe(8);
    expect([...new Uint32Array(got.buffer.slice(got.byteOffset, got.byteOffset + 8))]).toEqual([2, 3]);
    expect(device.readSync(got, 0, { offset: 100 })).toBe(0);
  });

  test('is short at the end, 0 exactly at it, EINVAL beyond it', async () => {
    const file = disk(content);
    const device = bench.device(file, { access, mode: 'r+' });
    const got = Buffer.alloc(1000, 1);
    expect(device.readSync(got, SIZE - 10)).toBe(10);
    expect(got[10]).toBe(1);
    expect(await device.read(got, SIZE)).toMatchObject({ bytesRead: 0 });
    await failure(() => device.readSync(got, SIZE + 1), 'EINVAL');
    await failure(() => device.read(got, Number.MAX_SAFE_INTEGER), 'EINVAL');
    expect(device.writeSync(got, SIZE - 10)).toBe(10);
    expect(await device.write(got, SIZE)).toMatchObject({ bytesWritten: 0 });
    await failure(() => device.writeSync(got, SIZE + 1), 'EINVAL');
    await failure(() => device.write(got, Number.MAX_SAFE_INTEGER), 'EINVAL');
    await device.close();
    expect(bench.bytes(file)).toHaveLength(SIZE);
  });

  test('a closed device is EBADF in every call that would reach it', async () => {
    const device = bench.device(disk(content), { access, mode: 'r+' });
    await device.close();
    await device.close();
    device.closeSync();
    expect(device.closed).toBe(true);
    const data = Buffer.alloc(512);
    const calls: (() => unknown)[] = [
      () => device.read(data, 0),
      () => device.readSync(data, 0),
      () => device.write(data, 0),
      () => device.writeSync(data, 0),
      () => device.strategy({ op: 'read', blkno: 0, data }),
      () => device.strategySync({ op: 'read', blkno: 0, data }),
      () => device.flush(),
      () => device.flushSync(),
      () => device.ioctl('DIOCGDINFO'),
      () => device.ioctl('DIOCCACHESYNC'),
      () => device.windows(),
    ];
    for (const call of calls) {
      const error = await failure(call, 'EBADF');
      expect(error.message).toContain('device closed');
    }
    expect([device.size, device.path, device.mode]).toEqual([SIZE, expect.any(String), 'r+']);
  });
});

test('a read of zero bytes makes no buf, even beyond the checks of the faults', async () => {
  const device = bench.device(bench.image(content), {}, { faults: { rate: 10000, seed: 1 } });
  expect(device.readSync(Buffer.alloc(0), 0)).toBe(0);
  expect(await device.read(Buffer.alloc(10), 0, { length: 0 })).toMatchObject({ bytesRead: 0 });
  expect(device.driver.counters()).toMatchObject({ ioTotal: 0, faultsInjected: 0 });
});
