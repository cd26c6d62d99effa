// Few windows and many requests: waiting for one, waking every waiter, and content that is right all the same.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 4 * MiB;
const content = pattern(SIZE);

/** A fixed sequence of numbers in [0, 1). */
function sequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

describe.each([1, 2, 16])('%d windows of 64 KiB', (windowCount) => {
  const tunables = { windowCount, windowSize: 64 * KiB, workers: 8 };

  test('B9, B10: concurrent reads all end, each with its own bytes', async () => {
    const device = bench.device(bench.image(content), { access: 'mmap' }, tunables);
    const random = sequence(windowCount);
    const asked = Array.from({ length: 600 }, () => {
      const length = 1 + Math.floor(random() * 200 * KiB);
      return { length, position: Math.floor(random() * (SIZE - length)) };
    });
    const got = await Promise.all(asked.map(({ length, position }) => device.read(Buffer.alloc(length), position)));
    for (const [i, { buffer, bytesRead }] of got.entries()) {
      const { length, position } = asked[i]!;
      expect(bytesRead).toBe(length);
      expect(buffer.equals(content.subarray(position, position + length))).toBe(true);
    }
    const windows = device.windows();
    expect(windows).toHaveLength(windowCount);
    expect(new Set(windows.map(({ offset }) => offset)).size).toBe(windowCount);
    expect(windows.every(({ refs }) => refs === 0)).toBe(true);
    const { windowHits, windowMisses } = device.driver.counters();
    // Each piece of a request in one window is a hit or a miss, whatever had to be waited for.
    const pieces = asked.reduce((sum, { position, length }) => {
      return sum + Math.floor((position + length - 1) / (64 * KiB)) - Math.floor(position / (64 * KiB)) + 1;
    }, 0);
    expect(windowHits + windowMisses).toBe(pieces);
  });

  test('B9, B10: concurrent writes to places of their own all arrive', async () => {
    const file = bench.image(content);
    const device = bench.device(file, { access: 'mmap', mode: 'r+' }, tunables);
    const next = pattern(SIZE, 2);
    const piece = 10 * KiB + 7;
    const starts = Array.from({ length: Math.floor(SIZE / piece) }, (_, i) => i * piece);
    const random = sequence(7);
    starts.sort(() => random() - 0.5);
    await Promise.all(
      starts.map((start, i) => {
        const part = next.subarray(start, start + piece);
        if (i % 3 === 0) return device.read(Buffer.alloc(piece), start).then(() => device.write(part, start));
        return device.write(part, start, { fua: i % 7 === 0 });
      }),
    );
    await device.close();
    const end = starts.length * piece;
    expect(readFileSync(file).subarray(0, end).equals(next.subarray(0, end))).toBe(true);
  });

  test('B8: sync requests get a window while queued ones hold others', async () => {
    const device = bench.device(bench.image(content), { access: 'mmap' }, tunables);
    // Each takes five windows, one after the other; the main thread competes for the same ones.
    const queued = Array.from({ length: 50 }, (_, i) => device.read(Buffer.alloc(300 * KiB), i * 64 * KiB));
    const got = Buffer.alloc(1000);
    for (let position = 0; position < SIZE - 1000; position += 60000) {
      expect(device.readSync(got, position)).toBe(1000);
      expect(got.equals(content.subarray(position, position + 1000))).toBe(true);
    }
    for (const [i, { buffer, bytesRead }] of (await Promise.all(queued)).entries()) {
      expect(buffer.subarray(0, bytesRead).equals(content.subarray(i * 64 * KiB, i * 64 * KiB + bytesRead))).toBe(true);
    }
  });
});

test('B8: a window that is held at the tail is passed over for one that is free', async () => {
  const device = bench.device(bench.image(content), { access: 'mmap', mode: 'r+' }, { windowCount: 2, windowSize: 64 * KiB });
  const view = device.mapSync(100, 100);
  const offsets = (): number[] => device.windows().map(({ offset }) => offset / (64 * KiB));
  try {
    for (const window of [1, 2, 3]) {
      const { buffer } = await device.read(Buffer.alloc(1000), window * 64 * KiB); // on a worker: a wait would time out here
      expect(buffer.equals(content.subarray(window * 64 * KiB, window * 64 * KiB + 1000))).toBe(true);
      expect(offsets()).toEqual([window, 0]);
    }
    expect(device.driver.counters()).toMatchObject({ windowBusy: 0, windowMisses: 2 });
  } finally {
    view.release();
  }
});

test('B16: closing waits for the requests that use its windows', async () => {
  const device = bench.device(bench.image(content), { access: 'mmap' }, { windowCount: 1, windowSize: 64 * KiB });
  const queued = Array.from({ length: 100 }, (_, i) => device.read(Buffer.alloc(MiB), (i % 3) * MiB));
  const closing = device.close();
  for (const [i, { buffer }] of (await Promise.all(queued)).entries()) {
    expect(buffer.equals(content.subarray((i % 3) * MiB, (i % 3) * MiB + MiB))).toBe(true);
  }
  await closing;
  expect(device.closed).toBe(true);
});
