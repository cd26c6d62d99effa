// Promise reads of many megabytes: what is in memory is read in place, turn by turn of the event loop, and all that can
// happen between two turns happens to them.
import { describe, expect, test } from '@jest/globals';
import { open, type BlockDevice } from 'rumpblk';
import { reportsFrom } from '../support/child';
import { failure, thrownBy } from '../support/failure';
import { ACCESSES, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 16 * MiB;
const content = pattern(SIZE);
/** Reads of all of it that are more than one turn of the event loop takes, whatever the machine. */
const MANY = 40;

/** Counts the turns that the event loop has until `work` is over. */
async function turnsDuring<T>(work: () => Promise<T>): Promise<{ turns: number; result: T }> {
  let turns = 0;
  let over = false;
  const tick = (): void => {
    turns += 1;
    if (!over) setImmediate(tick);
  };
  setImmediate(tick);
  const result = await work();
  over = true;
  return { turns, result };
}

const readAll = (device: BlockDevice, memory: Buffer[]): Promise<unknown> => Promise.all(memory.map((each) => device.read(each, 0)));

describe.each(ACCESSES)('access %s', (access) => {
  test('every byte of many long reads arrives, and the event loop has turns meanwhile', async () => {
    await using device = await open(bench.image(content), { access });
    const memory = Array.from({ length: MANY }, () => Buffer.alloc(SIZE));
    // Windows, where the access has them, are made.
    device.readSync(memory[0]!, 0);
    const { turns } = await turnsDuring(() => readAll(device, memory));
    expect(memory.every((each) => each.equals(content))).toBe(true);
    expect(turns).toBeGreaterThan(2);
  });

  test('reads of odd lengths at odd places, some behind the end, arrive', async () => {
    await using device = await open(bench.image(content), { access });
    const places = [3, 4095, MiB - 1, 7 * MiB + 513];
    const reads = places.map(async (at) => {
      const memory = Buffer.alloc(SIZE, 0xee);
      const { bytesRead } = await device.read(memory, at);
      expect(bytesRead).toBe(SIZE - at);
      return memory.subarray(0, bytesRead).equals(content.subarray(at)) && memory.subarray(bytesRead).every((byte) => byte === 0xee);
    });
    expect(await Promise.all(reads)).toEqual(places.map(() => true));
  });

  test('an abort between two turns ends it, and not a byte is written behind it', async () => {
    await using device = await open(bench.image(content), { access });
    const others = readAll(
      device,
      Array.from({ length: MANY }, () => Buffer.alloc(SIZE)),
    );
    const controller = new AbortController();
    const memory = Buffer.alloc(SIZE);
    const aborted = thrownBy(() => device.read(memory, 0, { signal: controller.signal }));
    controller.abort();
    expect(await aborted).toMatchObject({ name: 'AbortError' });
    memory.fill(0);
    await others;
    expect(memory.every((byte) => byte === 0)).toBe(true);
  });

  test('memory that is transferred away between two turns is EFAULT, and stays as it was', async () => {
    await using device = await open(bench.image(content), { access });
    const others = readAll(
      device,
      Array.from({ length: MANY }, () => Buffer.alloc(SIZE)),
    );
    const memory = new Uint8Array(SIZE);
    const read = failure(() => device.read(memory, 0));
    const taken = structuredClone(memory.buffer, { transfer: [memory.buffer] });
    expect(await read).toMatchObject({ code: 'EFAULT' });
    await others;
    expect(Buffer.from(taken).every((byte) => byte === 0)).toBe(true);
  });

  test('a close waits for those that wait for their turn', async () => {
    const device = await open(bench.image(content), { access });
    const memory = Array.from({ length: MANY }, () => Buffer.alloc(SIZE));
    let read = 0;
    const reads = memory.map(async (each) => {
      await device.read(each, 0);
      read += 1;
    });
    await device.close();
    expect(read).toBe(MANY);
    await Promise.all(reads);
    expect(memory.every((each) => each.equals(content))).toBe(true);
  });
});

test('two devices take turns: a short one does not wait for the end of many long ones', async () => {
  await using long = await open(bench.image(content));
  await using short = await open(bench.image(content.subarray(0, MiB)));
  let over = false;
  const reads = readAll(
    long,
    Array.from({ length: MANY }, () => Buffer.alloc(SIZE)),
  ).then(() => (over = true));
  await short.read(Buffer.alloc(MiB), 0);
  expect(over).toBe(false);
  await reads;
});

test('a process may end, and a thread be terminated, while reads wait for their turn', async () => {
  const file = bench.image(content);
  const body = (ending: string): string => `
    const device = openSync(args);
    for (let i = 0; i < ${MANY}; i++) void device.read(Buffer.alloc(${SIZE}), 0);
    ${ending}`;
  expect(await reportsFrom(body('report(1); process.exit(0);'), { args: file })).toEqual([1]);
  const worker = `
    const { Worker } = require('node:worker_threads');
    const source = \`
      const { openSync } = require('rumpblk');
      const { parentPort, workerData } = require('node:worker_threads');
      const device = openSync(workerData);
      for (let i = 0; i < ${MANY}; i++) void device.read(Buffer.alloc(${SIZE}), 0);
      parentPort.postMessage('under way');\`;
    const worker = new Worker(source, { eval: true, workerData: args });
    await new Promise((resolve) => worker.once('message', resolve));
    report(await worker.terminate());`;
  expect(await reportsFrom(worker, { args: file })).toEqual([1]);
});
