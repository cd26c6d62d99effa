// Requests whose memory is a view of mapSync(): they move what they would with any other memory, wherever the two lie.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { BATCH_READ, BATCH_WRITE, type BlockDevice } from 'rumpblk';
import { fill } from '../support/batch';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const LENT = 64 * KiB;

type Move = (device: BlockDevice, memory: Uint8Array, position: number) => Promise<number> | number;
const inBatch = (device: BlockDevice, arena: Uint8Array, op: number, position: number) => {
  const batch = device.createBatch({ depth: 1, arena });
  return { batch, count: fill(batch, [{ op, blkno: position / 512, bcount: arena.length, offset: 0 }]) };
};
const moved = (arena: Uint8Array, done: number): number => (done === 1 ? arena.length : -1);
const READS: Record<string, Move> = {
  readSync: (device, memory, position) => device.readSync(memory, position),
  read: async (device, memory, position) => (await device.read(memory, position)).bytesRead,
  strategySync: (device, data, position) => device.strategySync({ op: 'read', blkno: position / 512, data }).bcount,
  runSync(device, memory, position) {
    const { batch, count } = inBatch(device, memory, BATCH_READ, position);
    return moved(memory, batch.runSync(count));
  },
  async run(device, memory, position) {
    const { batch, count } = inBatch(device, memory, BATCH_READ, position);
    return moved(memory, await batch.run(count));
  },
};
const WRITES: Record<string, Move> = {
  writeSync: (device, memory, position) => device.writeSync(memory, position),
  write: async (device, memory, position) => (await device.write(memory, position)).bytesWritten,
  strategySync: (device, data, position) => device.strategySync({ op: 'write', blkno: position / 512, data }).bcount,
  runSync(device, memory, position) {
    const { batch, count } = inBatch(device, memory, BATCH_WRITE, position);
    return moved(memory, batch.runSync(count));
  },
  async run(device, memory, position) {
    const { batch, count } = inBatch(device, memory, BATCH_WRITE, position);
    return moved(memory, await batch.run(count));
  },
};
/** Where in the view the memory begins, where on the device the request does, and its bytes. */
const PLACES = [
  [0, 0, 8192],
  [0, 512, 20000],
  [100, 0, 20000],
  [512, 0, 20000],
  [4096, 0, 20480],
  [0, 4096, 20480],
  [40000, 512, 512],
  [0, 512 * KiB, 8192],
] as const;

describe.each(['auto', 'mmap'] as const)('a view under %s', (access) => {
  // The same device, and others on the same bytes: a map, pread, O_DIRECT.
  const others = { itself: undefined, mmap: { access: 'mmap' }, pio: { access: 'pio' }, direct: { access: 'pio', direct: true } } as const;
  describe.each(Object.entries(others))('and requests of %s', (_name, options) => {
    const setUp = (): { file: string; device: BlockDevice; other: BlockDevice } => {
      const file = bench.image(pattern(MiB));
      const device = bench.device(file, { access, mode: 'r+', lock: false });
      return { file, device, other: options ? bench.device(file, { mode: 'r+', lock: false, ...options }) : device };
    };

    test.each(Object.entries(READS))('%s gives the bytes that were there', async (_form, read) => {
      for (const warm of [false, true]) {
        for (const [at, position, length] of PLACES) {
          const { file, device, other } = setUp();
          // Twice, so that a map serves the next one.
          if (warm) for (let i = 0; i < 3; i += 1) other.readSync(Buffer.alloc(LENT), 0);
          const view = device.mapSync(0, LENT);
          expect(await read(other, view.bytes.subarray(at, at + length), position)).toBe(length);
          const expected = pattern(MiB);
          expected.copy(expected, at, position, position + length);
          expect({ at, position, same: expected.subarray(0, LENT).equals(view.bytes) }).toEqual({ at, position, same: true });
          view.release();
          expect(readFileSync(file).equals(expected)).toBe(true);
          other.closeSync();
          device.closeSync();
        }
      }
    });

    test.each(Object.entries(WRITES))('%s takes the bytes that are there', async (_form, write) => {
      for (const [at, position, length] of PLACES) {
        const { file, device, other } = setUp();
        const view = device.mapSync(0, LENT);
        expect(await write(other, view.bytes.subarray(at, at + length), position)).toBe(length);
        view.release();
        const expected = pattern(MiB);
        expected.copy(expected, position, at, at + length);
        expect({ at, position, same: readFileSync(file).equals(expected) }).toEqual({ at, position, same: true });
        other.closeSync();
        device.closeSync();
      }
    });
  });
});

test('views that overlap, and what is behind them', () => {
  const device = bench.device(bench.image(pattern(MiB)), { access: 'auto', mode: 'r+' });
  const [long, short] = [device.mapSync(0, LENT), device.mapSync(4096, 512)];
  // In the long view, behind the short one.
  expect(device.readSync(long.bytes.subarray(8192, 16384), 4096)).toBe(8192);
  expect(pattern(MiB).subarray(4096, 12288).equals(long.bytes.subarray(8192, 16384))).toBe(true);
  long.release();
  expect(device.readSync(short.bytes, 0)).toBe(512);
  expect(pattern(MiB).subarray(0, 512).equals(short.bytes)).toBe(true);
});
