// Delays, hangs and stalls of fault plans: on a virtual clock, and on the host's without a measured time.
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import type { BlockDevice, FaultAction, FaultMatch } from 'rumpblk';
import { type VirtualClock, virtualClock } from 'rumpblk/lab';
import { failure, thrownBy } from '../support/failure';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();
const content = pattern(64 * KiB);
const MS = 1_000_000;

function clocked(action: FaultAction, match: FaultMatch = { op: ['read', 'write'] }): { device: BlockDevice; clock: VirtualClock } {
  const device = bench.device(bench.image(content), { mode: 'r+' });
  const clock = virtualClock();
  device.driver.faults.plan({ seed: 1, clock, rules: [{ match, action }] });
  return { device, clock };
}

/** Notes in `order` when each of them has settled. */
function noting(order: string[], name: string, promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => order.push(name),
    (error: unknown) => order.push(`${name} ${(error as { code: string }).code}`),
  );
}

describe('on a virtual clock', () => {
  test('what is delayed completes when its time has come, in that order, and nothing before', async () => {
    const { device, clock } = clocked({ delay: 10 }, { op: 'write' });
    const order: string[] = [];
    const first = noting(order, 'first', device.write(Buffer.alloc(512), 0));
    await clock.advance(4 * MS);
    const second = noting(order, 'second', device.write(Buffer.alloc(512), 512));
    // Not hit: it waits for nothing.
    await device.read(Buffer.alloc(512), 0);
    await clock.advance(5 * MS);
    expect(order).toEqual([]);
    expect(clock.waiting).toBe(2);
    await clock.advance(1 * MS);
    expect(order).toEqual(['first']);
    await clock.runUntilIdle();
    expect(order).toEqual(['first', 'second']);
    expect(clock.now).toBe(14n * BigInt(MS));
    await Promise.all([first, second]);
  });

  test('what comes of one that completed is seen before the next one completes', async () => {
    const { device, clock } = clocked({ delay: { mean: 5, distribution: 'exponential' } });
    const run = async (): Promise<string[]> => {
      const order: string[] = [];
      const chain = async (name: number): Promise<void> => {
        for (let i = 0; i < 5; i += 1) {
          await device.read(Buffer.alloc(512), name * 512);
          order.push(`${name}.${i} at ${clock.now}`);
          await device.write(Buffer.alloc(512), name * 512);
        }
      };
      const all = Promise.all([0, 1, 2, 3].map(chain));
      await clock.runUntilIdle();
      await all;
      return order;
    };
    const first = await run();
    const again = clocked({ delay: { mean: 5, distribution: 'exponential' } });
    const order: string[] = [];
    const all = Promise.all(
      [0, 1, 2, 3].map(async (name) => {
        for (let i = 0; i < 5; i += 1) {
          await again.device.read(Buffer.alloc(512), name * 512);
          order.push(`${name}.${i} at ${again.clock.now}`);
          await again.device.write(Buffer.alloc(512), name * 512);
        }
      }),
    );
    await again.clock.runUntilIdle();
    await all;
    expect(order).toEqual(first);
    expect(again.device.driver.faults.log('jsonl')).toBe(device.driver.faults.log('jsonl'));
  });

  test('delays of a distribution lie in their bounds and have about its mean', async () => {
    for (const distribution of ['uniform', 'exponential'] as const) {
      const { device, clock } = clocked({ delay: { mean: 10, min: 1, max: 60, distribution } });
      for (let i = 0; i < 400; i += 1) device.readSync(Buffer.alloc(512), 0);
      const delays = device.driver.faults.log().map(({ action }) => Number(action.split(' ')[1]));
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(1);
      expect(Math.max(...delays)).toBeLessThanOrEqual(60);
      const mean = delays.reduce((sum, each) => sum + each, 0) / delays.length;
      expect(mean).toBeGreaterThan(distribution === 'uniform' ? 25 : 8);
      expect(mean).toBeLessThan(distribution === 'uniform' ? 36 : 12);
      // Sync forms have moved the clock on themselves.
      expect(Number(clock.now) / MS).toBeCloseTo(mean * 400, 0);
    }
  });

  test('a stall holds what begins in an episode until its end', async () => {
    const { device, clock } = clocked({ stall: { every: 100, for: 20 } });
    const order: string[] = [];
    await device.read(Buffer.alloc(512), 0);
    await clock.advance(79 * MS);
    await device.read(Buffer.alloc(512), 0);
    await clock.advance(6 * MS);
    const held = noting(order, 'held', device.read(Buffer.alloc(512), 0));
    await clock.advance(14 * MS);
    expect(order).toEqual([]);
    await clock.advance(1 * MS);
    expect(order).toEqual(['held']);
    await held;
    expect(device.driver.faults.log().map(({ action }) => action)).toEqual(['stall 15']);
  });

  test('a hang ends with its tag, and with none to release it a Sync form is EDEADLK', async () => {
    const { device, clock } = clocked({ hang: 'lost' }, { op: 'write' });
    const order: string[] = [];
    const writes = [0, 1].map((i) => noting(order, `write ${i}`, device.write(Buffer.alloc(512), i * 512)));
    await clock.advance(1e12);
    expect(order).toEqual([]);
    expect(clock.waiting).toBe(2);
    expect(device.driver.faults.release('other')).toBe(0);
    expect(device.driver.faults.release('lost')).toBe(2);
    await Promise.all(writes);
    expect(order).toEqual(['write 0', 'write 1']);
    expect(await thrownBy(() => device.writeSync(Buffer.alloc(512), 0))).toMatchObject({ code: 'EDEADLK', injected: true });
  });

  test('a batch completes with the last of its entries', async () => {
    const { device, clock } = clocked({ delay: 10 }, { op: 'read', after: 2 });
    const batch = device.createBatch({ depth: 4 });
    for (let i = 0; i < 4; i += 1) [batch.blkno[i], batch.bcount[i], batch.offset[i]] = [i, 512, i * 512];
    const order: string[] = [];
    const run = noting(order, 'batch', batch.run(4));
    await clock.advance(9 * MS);
    expect(order).toEqual([]);
    await clock.advance(1 * MS);
    await run;
    expect(batch.runSync(4)).toBe(4);
    expect(clock.now).toBe(20n * BigInt(MS));
    batch[Symbol.dispose]();
  });

  test('what is no clock or no time is refused', async () => {
    const clock = virtualClock(5n);
    expect(clock.now).toBe(5n);
    expect(await thrownBy(() => clock.advance(-1))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(await thrownBy(() => clock.advance('1' as unknown as number))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(await thrownBy(() => virtualClock(-1n))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
  });
});

describe('in the middle of a hang', () => {
  function hanging(size = 64 * KiB): BlockDevice {
    const device = bench.device(bench.sparse(size), { mode: 'r+' }, { workers: 1 });
    device.driver.faults.plan({ rules: [{ match: { op: ['read', 'write'] }, action: { hang: 'lost' } }] });
    return device;
  }

  test('more requests than workers hang, and another goes on', async () => {
    const device = hanging();
    const reads = [...Array(1000).keys()].map(async (i) => (await device.read(Buffer.alloc(512), (i % 100) * 512)).bytesRead);
    await device.flush();
    expect(device.driver.faults.release('lost')).toBe(1000);
    expect(new Set(await Promise.all(reads))).toEqual(new Set([512]));
  });

  test.each(['read', 'write'] as const)('a signal ends a %s', async (op) => {
    const device = hanging(2048 * KiB);
    // In one go, and in parts.
    for (const size of [512, 1536 * KiB]) {
      const abort = new AbortController();
      const { signal } = abort;
      const held = op === 'read' ? device.read(Buffer.alloc(size), 0, { signal }) : device.write(Buffer.alloc(size), 0, { signal });
      await turn();
      abort.abort();
      expect(await thrownBy(() => held)).toMatchObject({ name: 'AbortError' });
    }
  });

  test.each(['clear', 'plan'] as const)('faults.%s() lets it complete', async (call) => {
    const device = hanging();
    const read = device.read(Buffer.alloc(512), 0);
    await device.flush();
    if (call === 'clear') device.driver.faults.clear();
    else device.driver.faults.plan({ rules: [] });
    expect((await read).bytesRead).toBe(512);
  });

  test('a close waits for it', async () => {
    const device = hanging();
    const order: string[] = [];
    const read = noting(order, 'read', device.read(Buffer.alloc(512), 0));
    const close = noting(order, 'close', device.close());
    expect(device.driver.faults.release('lost')).toBe(1);
    await Promise.all([read, close]);
    expect(order).toEqual(['read', 'close']);
  });

  test('a flush hangs too, and a Sync form of it is EDEADLK', async () => {
    const device = bench.device(bench.image(content), { mode: 'r+' });
    device.driver.faults.plan({ rules: [{ match: { op: 'flush' }, action: { hang: 'lost' } }] });
    expect(await failure(() => device.flushSync())).toMatchObject({ code: 'EDEADLK', injected: true });
    const flush = device.flush();
    expect(device.driver.faults.release('lost')).toBe(1);
    await flush;
    device.driver.faults.clear();
  });
});

test("on the host's clock a thousand that are delayed with four workers complete", async () => {
  const device = bench.device(bench.image(content), { mode: 'r+' }, { workers: 4 });
  device.driver.faults.plan({ rules: [{ match: { op: 'read' }, action: { delay: 30 } }] });
  const began = process.hrtime.bigint();
  const reads = await Promise.all([...Array(1000).keys()].map((i) => device.read(Buffer.alloc(512), (i % 100) * 512)));
  // Not before their time; when after is nobody's promise.
  expect(process.hrtime.bigint() - began).toBeGreaterThanOrEqual(30_000_000n);
  expect(reads.every(({ bytesRead }) => bytesRead === 512)).toBe(true);
  device.readSync(Buffer.alloc(512), 0);
  expect(device.driver.faults.log()).toHaveLength(1001);
});
