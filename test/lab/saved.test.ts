// Saved recordings: what comes back from a file has the same states, by the same tokens, as what was recorded. And logs of others that
// are damaged, or too large to be held.
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { BATCH_READ, BATCH_WRITE, openSync, type BlockDevice } from 'rumpblk';
import { loadRecording, recordWrites, type Recorder } from 'rumpblk/lab';
import { memory } from 'rumpblk/media';
import { rig } from '../support/rig';
import { runChild } from '../support/child';

const bench = rig();
const SECTOR = 512;

/** All of a state. */
const imageOf = (devices: readonly BlockDevice[]): Buffer =>
  Buffer.concat(
    devices.map((device) => {
      const bytes = Buffer.alloc(device.size);
      device.readSync(bytes, 0);
      return bytes;
    }),
  );

/** Every state of a walk with its token. */
function statesOf(recorder: Recorder): Map<string, string> {
  const states = new Map<string, string>();
  for (const state of recorder.crashStates({ seed: 1, exhaustive: 64 })) {
    using own = state;
    states.set(own.token, imageOf(own.devices).toString('latin1'));
  }
  return states;
}

/** Saves and loads, and compares all that can be asked. */
async function expectSame(recorder: Recorder, name: string): Promise<void> {
  const file = bench.path(name);
  await recorder.save(file);
  using loaded = await loadRecording(file);
  expect([loaded.requests, loaded.end]).toEqual([recorder.requests, recorder.end]);
  expect(loaded.count()).toEqual(recorder.count());
  const states = statesOf(recorder);
  expect(statesOf(loaded)).toEqual(states);
  for (const token of states.keys()) {
    using state = recorder.fromToken(token);
    const images = state.devices.map((device) => imageOf([device]));
    for (const { cut } of recorder.count()) expect(loaded.isLegal(images, cut)).toBe(recorder.isLegal(images, cut));
  }
  const again = bench.path(`${name}.again`);
  await loaded.save(again);
  const events = (path: string): string[] =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => !line.includes('"base"'));
  expect(events(again)).toEqual(events(file));
}

test('partitions of one disk keep their flush, and where they lie', async () => {
  const image = Buffer.alloc(64 * SECTOR);
  [9, 27].forEach((first, index) => {
    const entry = 446 + 16 * index;
    image[entry + 4] = 0x83;
    image.writeUInt32LE(first, entry + 8);
    image.writeUInt32LE(18, entry + 12);
  });
  image.writeUInt16LE(0xaa55, 510);
  const driver = bench.driver();
  const disk = driver.registerSync(bench.image(image));
  const [one, other] = ['s1', 's2'].map((name) =>
    bench.keep(driver.openSync(driver.registerPartitionSync(disk, name), { mode: 'r+' })),
  ) as [BlockDevice, BlockDevice];
  using recorder = recordWrites([one, other], { atomicUnit: 4096 });
  other.writeSync(Buffer.alloc(SECTOR, 1), 5 * SECTOR);
  // It covers what was written to the other one, too.
  one.flushSync();
  one.writeSync(Buffer.alloc(3 * SECTOR, 2), 6 * SECTOR);
  other.writeSync(Buffer.alloc(SECTOR, 3), 0);
  recorder.stop();
  expect(recorder.count().at(-1)?.states).toBe(8n);
  await expectSame(recorder, 'partitions.jsonl');
});

test('a batch of which nothing else was recorded ends where it did', async () => {
  const device = bench.keep(openSync(memory({ size: 16 * SECTOR }), { mode: 'r+' }));
  using recorder = recordWrites(device);
  const batch = device.createBatch({ depth: 4 });
  [BATCH_WRITE, BATCH_READ, BATCH_READ, BATCH_READ].forEach((op, i) => {
    [batch.op[i], batch.blkno[i], batch.bcount[i], batch.offset[i]] = [op, i, SECTOR, i * SECTOR];
  });
  batch.arena.fill(5);
  expect(await batch.run(4)).toBe(4);
  recorder.stop();
  await expectSame(recorder, 'batch.jsonl');
});

test('what has moved of a write that failed is that again', async () => {
  const lines = [
    { v: 1, format: 'rumpblk-trace', sector: 512, atomic: 512, devices: [{ name: 'a', size: 2048 }], clock: 'real' },
    { n: 1, t: 0, d: 0, op: 'write', s: 0, c: 2, e: 2, te: 1, r: 1024, err: 'EIO', data: Buffer.alloc(1024, 1).toString('base64') },
    { n: 3, t: 2, d: 0, op: 'write', s: 2, c: 2, e: 4, te: 3, r: 512, err: 'EIO', data: Buffer.alloc(1024, 2).toString('base64') },
    { n: 5, t: 4, d: 0, op: 'flush', e: 6, te: 5 },
  ];
  const file = bench.path('failed.jsonl');
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  using recorder = await loadRecording(file);
  // Covered by the flush are those bytes that have moved.
  expect(recorder.count().at(-1)?.states).toBe(2n);
  await expectSame(recorder, 'failed-again.jsonl');
});

/** A sector that begins with these numbers. */
function block(...numbers: bigint[]): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  numbers.forEach((number, index) => bytes.writeBigUInt64LE(number, 8 * index));
  return bytes;
}

test('an entry far behind the end of any disk is named', async () => {
  const file = bench.path('far.log');
  const good = [block(5n, 1n), Buffer.alloc(SECTOR, 1)];
  writeFileSync(
    file,
    Buffer.concat([block(0x6a736677736872n, 1n, 3n, 512n), ...good, block(0n, 0n, 1n), block(2n ** 43n, 1n), Buffer.alloc(SECTOR)]),
  );
  const error = (await loadRecording(file).catch((reason: unknown) => reason)) as Error & { code: string; path: string };
  expect([error.code, error.path]).toEqual(['EINVAL', file]);
  expect(error.message).toMatch(/entry 2, write of 512 bytes at byte 4503599627370496/);
});

test('a log is not held in memory, whatever its data', async () => {
  const file = bench.path('large.log');
  const count = 96;
  const data = Buffer.alloc(4 * 1024 * 1024, 7);
  writeFileSync(file, block(0x6a736677736872n, 1n, BigInt(count), 512n));
  for (let i = 0; i < count; i += 1) writeFileSync(file, Buffer.concat([block(BigInt(i * 8192), 8192n), data]), { flag: 'a' });
  const { reports } = await runChild(
    `const { loadRecording } = require('rumpblk/lab');
    const recorder = await loadRecording(args, { atomicUnit: 65536 });
    report([recorder.requests, process.resourceUsage().maxRSS * 1024]);`,
    { args: file },
  );
  const [requests, most] = reports[0] as [number, number];
  expect(requests).toBe(count);
  // The 384 MiB of data once, those beyond 256 MiB in a file, and what runs the script.
  expect(most).toBeLessThan(700 * 1024 * 1024);
});
