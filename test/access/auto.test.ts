// The three ways to the bytes give the same answers: whatever the size, the memory, the windows and the file system.
import { mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { BATCH_READ, BATCH_WRITE, type BlockDevice, type DriverOptions } from 'rumpblk';
import { fill, numbers } from '../support/batch';
import { ability, testWith } from '../support/peers';
import { ACCESSES, KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 16 * MiB;
const content = pattern(SIZE);
const LARGEST = 4 * MiB;

const TMPFS = 0x01021994;
const EXT4 = 0xef53;
const folders = new Map<number, string>();

/** A folder for images on a file system of this type, made when first asked for. */
function folderOn(type: number, ...candidates: string[]): string {
  const found = candidates.find((candidate) => statfsSync(candidate).type === type);
  if (found === undefined) throw new Error('none');
  const folder = folders.get(type) ?? mkdtempSync(path.join(found, 'rumpblk-test-'));
  folders.set(type, folder);
  return folder;
}
afterAll(() => {
  for (const folder of folders.values()) rmSync(folder, { recursive: true, force: true });
});
const PLACES = [
  ['tmpfs', ability('tmpfs in /dev/shm', () => folderOn(TMPFS, '/dev/shm') !== ''), () => folderOn(TMPFS, '/dev/shm')],
  [
    'ext4',
    ability('ext4 in /tmp or here', () => folderOn(EXT4, path.dirname(bench.path('x')), process.cwd()) !== ''),
    () => folderOn(EXT4, path.dirname(bench.path('x')), process.cwd()),
  ],
] as const;

const CACHES: [name: string, tunables: DriverOptions][] = [
  ['2 windows of 64 KiB', { windowSize: 64 * KiB, windowCount: 2 }],
  ['2 windows of 256 KiB', { windowSize: 256 * KiB, windowCount: 2 }],
  ['2 windows of 1 MiB', { windowSize: MiB, windowCount: 2 }],
  ['windows that cover it', {}],
];

/** One of all sizes alike: 1 byte as often as 4 MiB. */
const sizeOf = (next: (limit: number) => number, room: number): number => Math.min(room, Math.floor(2 ** (next(2200) / 100)), LARGEST);

/** Memory of both kinds with a margin behind each request: ordinary, where Node puts it, and page-aligned. */
function memories(device: BlockDevice): Uint8Array[] {
  return [
    Buffer.alloc(LARGEST + 64),
    device.createBatch({ depth: 1, arena: LARGEST + 64 }).arena,
    new Uint8Array(LARGEST + 64 + 13).subarray(13),
  ];
}

describe.each(ACCESSES)('%s', (access) => {
  for (const [place, need, folder] of PLACES) {
    testWith(need)(
      `random ranges on ${place}, through windows of any size (${access})`,
      async () => {
        for (const [c, [, tunables]] of CACHES.entries()) {
          const file = path.join(folder(), `${access}-${c}`);
          writeFileSync(file, content);
          const next = numbers(1000 + c);
          // Every other device begins and ends at odd bytes, so that windows and pages never fit its range.
          const [offset, size] = c % 2 ? [0, SIZE] : [123457, SIZE - 123457 - 4321];
          const device = bench.device(file, { access, mode: 'r+', offset, size }, tunables);
          const model = Buffer.from(content.subarray(offset, offset + size));
          const into = memories(device);
          for (let round = 0; round < 250; round += 1) {
            const memory = into[round % 3]!;
            // A few places are favourites, so that windows are won and lost.
            const position = next(3) === 0 ? next(size) : (next(4) * 3 * MiB + next(40_000)) % size;
            const length = sizeOf(next, size - position);
            const start = next(64);
            const part = { offset: start, length };
            if (round % 5 === 4) {
              const data = pattern(length, round + 2);
              memory.set(data, start);
              if (round % 2) device.writeSync(memory, position, part);
              else await device.write(memory, position, { ...part, fua: round % 20 === 4 });
              data.copy(model, position);
            } else {
              // A byte on each side that a read must not touch.
              memory[start + length] = 0xe7;
              const before = start > 0 ? memory[start - 1] : undefined;
              const moved = round % 2 ? device.readSync(memory, position, part) : (await device.read(memory, position, part)).bytesRead;
              expect(moved).toBe(length);
              expect(Buffer.compare(memory.subarray(start, start + length), model.subarray(position, position + length))).toBe(0);
              expect([memory[start + length], start > 0 ? memory[start - 1] : undefined]).toEqual([0xe7, before]);
            }
          }
          await device.close();
          const after = readFileSync(file);
          expect(after.subarray(offset, offset + size).equals(model)).toBe(true);
          expect(after.subarray(0, offset).equals(content.subarray(0, offset))).toBe(true);
          expect(after.subarray(offset + size).equals(content.subarray(offset + size))).toBe(true);
          rmSync(file);
        }
      },
      60_000,
    );
  }

  test('requests on several threads at once, while windows are won and lost', async () => {
    const device = bench.device(bench.image(content), { access, mode: 'r+' }, { windowSize: 64 * KiB, windowCount: 2, workers: 4 });
    const next = numbers(5);
    const model = Buffer.from(content);
    for (let round = 0; round < 12; round += 1) {
      // Reads below 12 MiB, writes above: no two of one round meet.
      const reads = Array.from({ length: 60 }, () => {
        const position = next(2) ? next(8 * MiB) : next(3) * MiB;
        return { position, done: device.read(Buffer.alloc(1 + next(3) * 300_000 + next(5000)), position) };
      });
      const data = pattern(100_000, round + 2);
      const writes = Array.from({ length: 40 }, (_, i) => device.write(data, 12 * MiB + i * 100_000));
      for (let i = 0; i < 100; i += 1) {
        const got = Buffer.alloc(5000);
        const position = next(12 * MiB - 5000);
        expect(device.readSync(got, position)).toBe(5000);
        expect(got.equals(model.subarray(position, position + 5000))).toBe(true);
      }
      await Promise.all(writes);
      for (let i = 0; i < 40; i += 1) data.copy(model, 12 * MiB + i * 100_000);
      for (const { position, done } of reads) {
        const { bytesRead, buffer } = await done;
        expect(bytesRead).toBe(buffer.length);
        expect(buffer.equals(model.subarray(position, position + bytesRead))).toBe(true);
      }
    }
    await device.close();
    expect(readFileSync(device.path).equals(model)).toBe(true);
  });

  test('batches over the whole of it give what single calls give', async () => {
    const device = bench.device(bench.image(content), { access, mode: 'r+' }, { windowSize: 64 * KiB, windowCount: 2 });
    const next = numbers(77);
    const model = Buffer.from(content);
    const batch = device.createBatch({ depth: 32, arena: 4 * MiB });
    for (let round = 0; round < 40; round += 1) {
      const entries = Array.from({ length: 32 }, (_, i) => {
        const blkno = next(3) ? next(SIZE / 512) : next(200);
        return {
          op: next(4) ? BATCH_READ : BATCH_WRITE,
          blkno,
          bcount: sizeOf(next, Math.min(128 * KiB, SIZE - blkno * 512)),
          offset: i * 128 * KiB,
        };
      });
      batch.arena.set(pattern(4 * MiB, round + 2));
      const expected = Buffer.from(batch.arena);
      for (const { op, blkno, bcount, offset } of entries) {
        if (op === BATCH_WRITE) expected.copy(model, blkno * 512, offset, offset + bcount);
        else model.copy(expected, offset, blkno * 512, blkno * 512 + bcount);
      }
      const count = fill(batch, entries);
      expect(round % 2 ? batch.runSync(count) : await batch.run(count)).toBe(32);
      expect(Buffer.compare(batch.arena, expected)).toBe(0);
    }
    await device.close();
    expect(readFileSync(device.path).equals(model)).toBe(true);
  });
});

describe('windows under auto', () => {
  const at = (device: BlockDevice): number[] =>
    device
      .windows()
      .map(({ offset }) => offset / (64 * KiB))
      .sort((a, b) => a - b);

  test('a window that is read often takes the place of one that is not, a scan of all takes none', () => {
    const device = bench.device(bench.image(content), {}, { windowSize: 64 * KiB, windowCount: 2 });
    expect(at(device)).toEqual([0, 1]);
    const got = Buffer.alloc(4096);
    // Each window once: none gets hotter than those that are mapped.
    for (let window = 0; window < 256; window += 1) device.readSync(got, window * 64 * KiB);
    expect(at(device)).toEqual([0, 1]);
    expect(device.driver.counters().windowMisses).toBe(0);
    for (let i = 0; i < 200; i += 1) {
      expect(device.readSync(got, 101 * 64 * KiB + i * 100)).toBe(4096);
      expect(got.equals(content.subarray(101 * 64 * KiB + i * 100, 101 * 64 * KiB + i * 100 + 4096))).toBe(true);
    }
    expect(at(device)).toEqual([0, 101]);
    expect(device.driver.counters().windowMisses).toBe(1);
    const before = device.driver.counters().windowHits;
    for (let i = 0; i < 10; i += 1) device.readSync(got, 101 * 64 * KiB + i * 100);
    expect(device.driver.counters().windowHits).toBe(before + 10);
    expect(device.windows().every(({ refs }) => refs === 0)).toBe(true);
  });

  test('cover the device by default, whatever its size', () => {
    for (const size of [512, MiB, 16 * MiB + 1, 40 * MiB, 1024 * MiB]) {
      const device = bench.device(bench.sparse(size));
      const windows = device.windows();
      expect(windows.length).toBeLessThanOrEqual(16);
      expect(windows.reduce((sum, { length }) => sum + length, 0)).toBe(size);
    }
  });
});

describe('inline answers', () => {
  /** Whether a read that begins now has put its bytes into the buffer when it returns. */
  const isInline = async (device: BlockDevice, length: number, position: number): Promise<boolean> => {
    const buffer = Buffer.alloc(length);
    const reading = device.read(buffer, position);
    const filled = buffer.equals(content.subarray(position, position + length));
    const { bytesRead } = await reading;
    expect([bytesRead, buffer.equals(content.subarray(position, position + length))]).toEqual([length, true]);
    return filled;
  };

  /** Whether one of 50 such reads is, each in a turn of its own: the millisecond that a turn has for answers may pass at once. */
  const isEverInline = async (device: BlockDevice, length: number, position: number): Promise<boolean> => {
    for (let i = 0; i < 50; i += 1) {
      await new Promise(setImmediate);
      if (await isInline(device, length, position)) return true;
    }
    return false;
  };

  for (const [place, need, folder] of PLACES) {
    for (const access of ACCESSES) {
      testWith(need)(
        `a read of what is in memory is answered inline or through the queue, with the same bytes: ${access} on ${place}`,
        async () => {
          const file = path.join(folder(), `inline-${access}`);
          writeFileSync(file, content.subarray(0, 4 * MiB));
          const device = bench.device(file, { access });
          const got = Buffer.alloc(4 * MiB);
          // Read before so that its pages are in memory, and its blocks warm.
          for (let i = 0; i < 3; i += 1) device.readSync(got, 0);
          const lengths = [1, 512, 4096, 65536, 256 * KiB, 256 * KiB + 1, MiB];
          const inline: boolean[] = [];
          for (const length of lengths) inline.push(await isEverInline(device, length, 12345));
          // tmpfs has no reads that promise not to wait, and a wait for a window cannot be ruled out under mmap.
          const can = access === 'auto' || (access === 'pio' && place === 'ext4');
          // Of a longer one as many parts as a turn of the event loop has time for.
          expect(inline.slice(0, 5)).toEqual([can, can, can, can, can]);
          // What a worker answered is answered no differently than what is inline.
          await Promise.all(lengths.flatMap((length) => [0, 1, 777_777].map((position) => isInline(device, length, position))));
        },
      );
    }
  }

  test('a batch of reads is inline up to 512 KiB; one that writes is not', async () => {
    const device = bench.device(bench.image(content), { mode: 'r+' });
    const batch = device.createBatch({ depth: 2, arena: 2 * MiB });
    device.readSync(Buffer.alloc(2 * MiB), 0);
    device.readSync(Buffer.alloc(2 * MiB), 0);
    for (const [bcount, op, inline] of [
      [256 * KiB, BATCH_READ, true],
      [256 * KiB + 1, BATCH_READ, false],
      [512, BATCH_WRITE, false],
    ] as const) {
      let seen = false;
      for (let i = 0; i < 50 && !seen; i += 1) {
        const count = fill(batch, [
          { bcount, offset: 0 },
          { op, blkno: 600, bcount, offset: MiB },
        ]);
        await new Promise(setImmediate);
        const running = batch.run(count);
        seen = batch.error[1] === 0;
        expect(await running).toBe(2);
      }
      expect(seen).toBe(inline);
    }
  });

  test.each([
    ['read', (device: BlockDevice, got: Buffer) => device.read(got, 0)],
    ['strategy', (device: BlockDevice, data: Buffer) => device.strategy({ op: 'read', blkno: 0, data })],
    ['batch', undefined],
  ] as const)('an endless loop of awaited %s calls does not starve the event loop', async (_name, call) => {
    const device = bench.device(bench.image(content));
    const got = Buffer.alloc(4096);
    const batch = device.createBatch({ depth: 1 });
    batch.bcount[0] = 4096;
    const step = call === undefined ? () => batch.run(1) : () => call(device, got);
    let sum = 0;
    for (let round = 0; round < 20; round += 1) {
      let turns = 0;
      let calls = 0;
      setImmediate(() => (turns += 1));
      while (turns === 0 && calls < 100_000) {
        await step();
        calls += 1;
      }
      // A millisecond of them on the spot between two turns, and as many by the queue as Node settles in one.
      expect(calls).toBeLessThanOrEqual(20_000);
      sum += calls;
    }
    // Without answers on the spot there would be a turn for every call or two.
    expect(sum).toBeGreaterThan(1000);
  });
});
