// RandomAccessDevice: what clients of random-access-storage may expect, and what a device cannot do.
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import RandomAccessStorage from 'random-access-storage';
import type { BlockDevice } from 'rumpblk';
import { RandomAccessDevice, type RandomAccessDeviceOptions } from 'rumpblk/random-access-storage';
import { reportsFrom } from '../support/child';
import { failure, refusal, thrownBy } from '../support/failure';
import { MADE_OF } from '../support/made-of';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * KiB + 100;
const content = pattern(SIZE);

function storage(mode: 'r' | 'r+' = 'r+', options?: RandomAccessDeviceOptions) {
  const image = bench.image(content);
  return { image, ...storageOf(bench.device(image, { mode }), options) };
}

function storageOf(device: BlockDevice, options?: RandomAccessDeviceOptions) {
  const raw = new RandomAccessDevice(device, options);
  const call = (name: keyof RandomAccessDevice): ((...args: unknown[]) => Promise<any>) => promisify((raw[name] as () => void).bind(raw));
  const promised = {
    ...{ open: call('open'), read: call('read'), write: call('write'), del: call('del'), truncate: call('truncate') },
    ...{ stat: call('stat'), suspend: call('suspend'), close: call('close'), unlink: call('unlink') },
  };
  return { device, raw, ...promised };
}

describe.each(MADE_OF)('a device that is made of $name', (made) => {
  const over = async (mode: 'r' | 'r+' = 'r+', options?: RandomAccessDeviceOptions) => {
    const image = bench.image(content);
    const { device, settle } = await made.device(bench, image, { mode });
    const bytes = async (): Promise<Buffer> => {
      await settle();
      return readFileSync(image);
    };
    return { bytes, ...storageOf(device, options) };
  };

  test('reads, writes and tells its size', async () => {
    const { raw, read, write, stat, bytes } = await over();
    expect(raw).toBeInstanceOf(RandomAccessStorage);
    await write(1000, Buffer.from('hello'));
    expect(
      (await read(999, 7)).equals(Buffer.concat([content.subarray(999, 1000), Buffer.from('hello'), content.subarray(1005, 1006)])),
    ).toBe(true);
    expect((await read(SIZE, 0)).length).toBe(0);
    expect(await stat()).toMatchObject({ size: SIZE, blksize: 512, blocks: 129 });
    expect((await bytes()).subarray(1000, 1005).toString()).toBe('hello');
  });

  test('answers the example of the README of random-access-storage: two reads and a close, one after the other', async () => {
    const { raw, device } = await over('r', { closeDevice: true });
    const seen: unknown[] = [];
    await new Promise<void>((resolve) => {
      raw.read(0, 10, (error, data) => seen.push(error, data.equals(content.subarray(0, 10))));
      raw.read(40, 15, (error, data) => seen.push(error, data.equals(content.subarray(40, 55))));
      raw.close(() => resolve());
    });
    expect(seen).toEqual([null, true, null, true]);
    expect(device.closed).toBe(true);
  });

  test('is neither read nor written across its end', async () => {
    const { read, write, bytes } = await over();
    for (const offset of [SIZE - 4, SIZE, SIZE + 1, 2 ** 50]) {
      await failure(() => read(offset, 5), 'EINVAL');
      await failure(() => write(offset, Buffer.alloc(5)), 'ENOSPC');
    }
    await failure(() => read(0, 2 ** 40), 'EINVAL');
    expect((await bytes()).equals(content)).toBe(true);
  });

  test.each([Infinity, undefined])('deletes to the end: %p', async (size) => {
    const { del, bytes } = await over();
    await del(1000, size);
    expect((await bytes()).equals(Buffer.from(content).fill(0, 1000))).toBe(true);
  });

  test('deletes by zeros, as far as it reaches', async () => {
    const { del, bytes } = await over();
    await del(100, 1000);
    await del(SIZE - 5, 1e6);
    await del(SIZE + 1e6, 5);
    expect(
      (await bytes()).equals(
        Buffer.from(content)
          .fill(0, 100, 1100)
          .fill(0, SIZE - 5),
      ),
    ).toBe(true);
  });

  test('does not shrink, nor go away', async () => {
    const { raw, truncate, unlink, bytes } = await over();
    expect([raw.readable, raw.writable, raw.deletable, raw.statable, raw.truncatable]).toEqual([true, true, true, true, false]);
    await failure(() => truncate(10), 'EINVAL');
    await failure(() => unlink(), 'EINVAL');
    expect((await bytes()).equals(content)).toBe(true);
  });

  test('of mode r says so, and refuses', async () => {
    const { raw, write, del, bytes } = await over('r');
    expect([raw.readable, raw.writable, raw.deletable]).toEqual([true, false, false]);
    await failure(() => write(0, Buffer.alloc(5)), 'EACCES');
    await failure(() => del(0, 5), 'EACCES');
    expect((await bytes()).equals(content)).toBe(true);
  });
});

describe('closing', () => {
  test('waits for what is in flight, makes it durable and leaves the device open', async () => {
    const { raw, write, read, close, device } = storage();
    const underWay = Array.from({ length: 20 }, (_, i) => write(i * 512, Buffer.alloc(512, i + 1)));
    await Promise.all([...underWay, close()]);
    expect(device.driver.counters()).toMatchObject({ flushes: 1, bytesWritten: 20 * 512 });
    expect([raw.closed, device.closed]).toEqual([true, false]);
    await expect(read(0, 5)).rejects.toThrow('Closed');
  });

  test('closes the device when asked to', async () => {
    const { close, device } = storage('r+', { closeDevice: true });
    await close();
    expect(device.closed).toBe(false); // it was never opened
    const other = storage('r+', { closeDevice: true });
    await other.read(0, 5);
    await other.close();
    expect(other.device.closed).toBe(true);
  });

  test('a suspended storage goes on with the next call', async () => {
    const { suspend, read, raw } = storage('r+', { closeDevice: true });
    await read(0, 5);
    await suspend();
    expect(raw.suspended).toBe(true);
    expect((await read(0, 5)).equals(content.subarray(0, 5))).toBe(true);
  });

  test('a device that is closed under it is EBADF', async () => {
    const opened = storage();
    await opened.read(0, 5);
    await opened.device.close();
    await failure(() => opened.read(0, 5), 'EBADF');
    await failure(() => opened.stat(), 'EBADF');
    const fresh = storage();
    await fresh.device.close();
    await expect(fresh.open()).rejects.toMatchObject({ code: 'EBADF' });
    expect(((await thrownBy(() => new RandomAccessDevice(fresh.device))) as NodeJS.ErrnoException).code).toBe('EBADF');
  });
});

test('faults come to the callback', async () => {
  const { device, read, write } = storage();
  device.driver.faults.set({ rate: 10_000, seed: 1 });
  await failure(() => read(0, 5), 'EIO');
  await failure(() => write(0, Buffer.alloc(5)), 'EIO');
});

test('what a callback throws is an uncaught exception of the caller', async () => {
  const script = `
    const { RandomAccessDevice } = require('rumpblk/random-access-storage');
    const device = openSync(args);
    const seen = await new Promise((resolve) => {
      process.on('uncaughtException', (error, origin) => resolve([error.message, origin]));
      new RandomAccessDevice(device).read(0, 5, () => { throw new Error('mine'); });
    });
    device.closeSync();
    report(seen);`;
  expect(await reportsFrom(script, { args: bench.image(content) })).toEqual([['mine', 'uncaughtException']]);
});

test('wrong arguments', async () => {
  const { read, write, del, device } = storage();
  for (const [offset, size] of [
    [-1, 5],
    [0, -5],
    [0.5, 1],
    [NaN, 1],
    [0, Infinity],
    ['0', 1],
    [0, '1'],
  ]) {
    expect(await refusal(() => read(offset, size))).toMatch(/^ERR_/);
    if (size !== Infinity) expect(await refusal(() => del(offset, size))).toMatch(/^ERR_/);
  }
  expect(await refusal(() => write(-1, Buffer.alloc(1)))).toBe('ERR_OUT_OF_RANGE');
  expect(await refusal(() => write(0, 'text'))).toBe('ERR_INVALID_ARG_TYPE');
  for (const wrong of [undefined, {}, 'x'])
    expect(await refusal(() => new RandomAccessDevice(wrong as never))).toBe('ERR_INVALID_ARG_TYPE');
  expect(await refusal(() => new RandomAccessDevice(device, { closeDevice: 1 as never }))).toBe('ERR_INVALID_ARG_TYPE');
});
