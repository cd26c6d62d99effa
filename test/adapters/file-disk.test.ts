// DeviceDisk: the contract of file-disk's Disk, without its faults.
import { readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { BufferDiskChunk, Disk, DiscardDiskChunk } from 'file-disk';
import { DeviceDisk } from 'rumpblk/file-disk';
import { failure, refusal, thrownBy } from '../support/failure';
import { MADE_OF, type MadeOf } from '../support/made-of';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * KiB + 100;
const content = pattern(SIZE);

/** The contract of what moves bytes, on whatever the device is made of. */
const onAll = describe.each(MADE_OF);
async function writableOf(made: MadeOf) {
  const image = bench.image(content);
  const { device, settle } = await made.device(bench, image, { mode: 'r+' });
  const bytes = async (): Promise<Buffer> => {
    await settle();
    return readFileSync(image);
  };
  return { disk: new DeviceDisk(device), device, bytes };
}

function writable(): { disk: DeviceDisk; image: string; device: DeviceDisk['device'] } {
  const image = bench.image(content);
  const device = bench.device(image, { mode: 'r+' });
  return { disk: new DeviceDisk(device), image, device };
}

onAll('reads of $name', (made) => {
  test('fill the part of the buffer that was named, and nothing else', async () => {
    const { disk } = await writableOf(made);
    const buffer = Buffer.alloc(100, 0xee);
    expect(await disk.read(buffer, 10, 50, 513)).toEqual({ bytesRead: 50, buffer });
    expect(buffer.subarray(10, 60).equals(content.subarray(513, 563))).toBe(true);
    expect(buffer.subarray(0, 10).every((byte) => byte === 0xee) && buffer.subarray(60).every((byte) => byte === 0xee)).toBe(true);
  });

  test.each([
    [SIZE - 7, 7],
    [SIZE, 0],
    [SIZE + 1, 0],
    [2 ** 50, 0],
  ])('at %d count what there was', async (position, bytesRead) => {
    const { disk } = await writableOf(made);
    const buffer = Buffer.alloc(64, 0xee);
    expect(await disk.read(buffer, 0, 64, position)).toMatchObject({ bytesRead });
    expect(buffer.subarray(bytesRead).every((byte) => byte === 0xee)).toBe(true);
  });

  test('give the same through a stream of the base class', async () => {
    const { disk } = await writableOf(made);
    const chunks: Buffer[] = [];
    for await (const chunk of await disk.getStream(100, 60_000)) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(content.subarray(100, 60_100))).toBe(true);
  });

  test('come through other views than Buffers', async () => {
    const { disk } = await writableOf(made);
    const words = new Float64Array(8);
    expect((await disk.read(words as never, 8, 16, 1000)).bytesRead).toBe(16);
    expect(Buffer.from(words.buffer, 8, 16).equals(content.subarray(1000, 1016))).toBe(true);
    const known = new DeviceDisk(disk.device, { recordReads: true });
    expect((await known.read(words as never, 24, 16, 2000)).bytesRead).toBe(16);
    expect(Buffer.from(words.buffer, 24, 16).equals(content.subarray(2000, 2016))).toBe(true);
  });
});

onAll('writes to $name', (made) => {
  test('reach the device, count truly and never make it longer', async () => {
    const { disk, device, bytes } = await writableOf(made);
    const data = pattern(100, 7);
    expect(await disk.write(data, 20, 50, SIZE - 50)).toEqual({ bytesWritten: 50, buffer: data });
    for (const position of [SIZE - 49, SIZE, SIZE + 10, 2 ** 50]) {
      const error = await failure(() => disk.write(data, 20, 50, position), 'ENOSPC');
      expect(error).toMatchObject({ syscall: 'write', bytesTransferred: 0, path: device.path });
    }
    expect(await disk.write(data, 0, 0, SIZE)).toEqual({ bytesWritten: 0, buffer: data });
    await disk.flush();
    expect(device.driver.counters().flushes).toBe(1);
    expect((await bytes()).equals(Buffer.concat([content.subarray(0, SIZE - 50), data.subarray(20, 70)]))).toBe(true);
  });
});

describe('writes', () => {
  test('on a device of mode r are EACCES, and no success', async () => {
    const image = bench.image(content);
    const disk = new DeviceDisk(bench.device(image));
    await failure(() => disk.write(Buffer.alloc(512), 0, 512, 0), 'EACCES');
    await failure(() => disk.discard(0, 4096), 'EACCES');
    expect(readFileSync(image).equals(content)).toBe(true);
  });

  test('of a readOnly disk are dropped as file-disk drops them, or kept in memory with recordWrites', async () => {
    const image = bench.image(content);
    const device = bench.device(image);
    const dropping = new DeviceDisk(device, { readOnly: true });
    const keeping = new DeviceDisk(device, { readOnly: true, recordWrites: true });
    const data = pattern(3000, 9);
    for (const disk of [dropping, keeping]) expect(await disk.write(data, 1000, 2000, SIZE - 2000)).toMatchObject({ bytesWritten: 2000 });
    await failure(() => dropping.write(data, 0, 3000, SIZE - 2000), 'ENOSPC');
    const buffer = Buffer.alloc(4000);
    expect(await dropping.read(buffer, 0, 4000, SIZE - 4000)).toMatchObject({ bytesRead: 4000 });
    expect(buffer.equals(content.subarray(SIZE - 4000))).toBe(true);
    // Across the end, with an offset: the base class would count 4000 and fill from the start of the buffer.
    expect(await keeping.read(buffer, 100, 3900, SIZE - 3000)).toMatchObject({ bytesRead: 3000 });
    expect(buffer.subarray(100, 1100).equals(content.subarray(SIZE - 3000, SIZE - 2000))).toBe(true);
    expect(buffer.subarray(1100, 3100).equals(data.subarray(1000))).toBe(true);
    expect(keeping.knownChunks).toHaveLength(1);
    expect(keeping.knownChunks[0]).toBeInstanceOf(BufferDiskChunk);
    await keeping.flush();
    expect(readFileSync(image).equals(content)).toBe(true);
  });
});

describe('discards', () => {
  test('make zeros, of the range that the disk has, and are recorded', async () => {
    const { disk, image } = writable();
    await disk.discard(1000, 9000);
    await disk.discard(SIZE - 10, 4096);
    await disk.discard(SIZE, 4096);
    await disk.discard(5, 0);
    const expected = Buffer.from(content)
      .fill(0, 1000, 10_000)
      .fill(0, SIZE - 10);
    expect(readFileSync(image).equals(expected)).toBe(true);
    expect(disk.getDiscardedChunks().map((chunk) => chunk.interval())).toEqual([
      [1000, 9999],
      [SIZE - 10, SIZE - 1],
    ]);
    await disk.write(content, 2000, 100, 2000);
    expect(disk.knownChunks.every((chunk) => chunk instanceof DiscardDiskChunk)).toBe(true);
    expect(disk.getDiscardedChunks()).toHaveLength(3);
    const buffer = Buffer.alloc(3000);
    await disk.read(buffer, 0, 3000, 1000);
    expect(buffer.equals(Buffer.from(expected.subarray(1000, 4000)).fill(content.subarray(2000, 2100), 1000, 1100))).toBe(true);
  });

  test('give the room back, and leave holes of the host file alone', async () => {
    const image = bench.sparse(64 * MiB);
    const device = bench.device(image, { mode: 'r+' });
    const disk = new DeviceDisk(device);
    await disk.write(Buffer.alloc(4096, 1), 0, 4096, 32 * MiB);
    await disk.flush();
    expect(statSync(image).blocks).toBeGreaterThan(0);
    await disk.discard(0, 64 * MiB);
    await device.close();
    expect(readFileSync(image).equals(Buffer.alloc(64 * MiB))).toBe(true);
    expect(statSync(image).blocks).toBe(0);
  });

  test('are only recorded with discardIsZero: false', async () => {
    const image = bench.image(content);
    const disk = new DeviceDisk(bench.device(image, { mode: 'r+' }), { discardIsZero: false });
    await disk.discard(0, 8192);
    expect(readFileSync(image).equals(content)).toBe(true);
    // The base class gives an empty range before a discard at 0.
    expect((await disk.getRanges(4096)).filter(({ length }) => length > 0)).toEqual([{ offset: 8192, length: 64 * KiB + 4096 - 8192 }]);
  });
});

test('it is a Disk, with the capacity of the device', async () => {
  const { disk } = writable();
  expect(disk).toBeInstanceOf(Disk);
  expect(await disk.getCapacity()).toBe(SIZE);
});

test('faults of the device come through, before a byte moves', async () => {
  const { disk, device, image } = writable();
  device.driver.faults.set({ rate: 10_000, seed: 1 });
  for (const call of [() => disk.read(Buffer.alloc(9), 0, 9, 0), () => disk.write(Buffer.alloc(9), 0, 9, 0)]) {
    expect(await failure(call, 'EIO')).toMatchObject({ injected: true });
  }
  expect(readFileSync(image).equals(content)).toBe(true);
});

test('a device that is closed ends it: what is in flight completes, the rest is EBADF', async () => {
  const { disk, device } = writable();
  const underWay = Array.from({ length: 50 }, (_, i) => disk.write(content, i * 512, 512, i * 512));
  const closing = device.close();
  expect((await Promise.all(underWay)).every(({ bytesWritten }) => bytesWritten === 512)).toBe(true);
  await closing;
  await failure(() => disk.read(Buffer.alloc(9), 0, 9, 0), 'EBADF');
  await failure(() => disk.read(Buffer.alloc(9), 0, 9, SIZE + 9), 'EBADF');
  await failure(() => disk.write(Buffer.alloc(9), 0, 9, 0), 'EBADF');
  await failure(() => disk.flush(), 'EBADF');
  expect(((await thrownBy(() => new DeviceDisk(device))) as NodeJS.ErrnoException).code).toBe('EBADF');
});

describe('wrong arguments', () => {
  const data = Buffer.alloc(16);
  const calls: [name: string, args: unknown[], code: string][] = [
    ['no buffer', [undefined, 0, 1, 0], 'ERR_INVALID_ARG_TYPE'],
    ['a part beyond the buffer', [data, 0, 17, 0], 'ERR_OUT_OF_RANGE'],
    ['a part that begins beyond it', [data, 17, 0, 0], 'ERR_OUT_OF_RANGE'],
    ['a negative position', [data, 0, 1, -1], 'ERR_OUT_OF_RANGE'],
    ['half a byte', [data, 0, 0.5, 0], 'ERR_OUT_OF_RANGE'],
    ['a text', [data, 0, 1, '0'], 'ERR_INVALID_ARG_TYPE'],
    ['no position', [data, 0, 1], 'ERR_INVALID_ARG_TYPE'],
    ['shared memory', [new Uint8Array(new SharedArrayBuffer(8)), 0, 1, 0], 'ERR_INVALID_ARG_VALUE'],
  ];
  test.each(calls)('%s', async (_name, args, code) => {
    const { disk } = writable();
    expect(await refusal(() => disk.read(...(args as Parameters<DeviceDisk['read']>)))).toBe(code);
    expect(await refusal(() => disk.write(...(args as Parameters<DeviceDisk['write']>)))).toBe(code);
  });

  test('of the constructor and of discard', async () => {
    const { disk, device } = writable();
    for (const wrong of [undefined, null, 'x', {}, disk, Object.create(device)]) {
      expect(await refusal(() => new DeviceDisk(wrong as never))).toBe('ERR_INVALID_ARG_TYPE');
    }
    expect(await refusal(() => new DeviceDisk(device, { readOnly: 1 as never }))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => new DeviceDisk(device, null as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => disk.discard(-1, 5))).toBe('ERR_OUT_OF_RANGE');
    expect(await refusal(() => disk.discard(0, NaN))).toBe('ERR_OUT_OF_RANGE');
  });
});
