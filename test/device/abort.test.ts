// AbortSignals of every call that has one: before it begins, while it is queued, while it runs, and after it is done.
import { getEventListeners } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { BATCH_WRITE, type BlockDevice, open, openSync } from 'rumpblk';
import { failure, refusal, thrownBy } from '../support/failure';
import { testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';
import { STRACE, strace } from '../support/strace';

const bench = rig();
const SIZE = 256 * KiB;
const content = pattern(SIZE);
type Call = (device: BlockDevice, signal: AbortSignal) => Promise<unknown>;

const CALLS: [string, Call][] = [
  ['read', (device, signal) => device.read(Buffer.alloc(512), 0, { signal })],
  ['write', (device, signal) => device.write(Buffer.alloc(512), 0, { signal })],
  ['strategy read', (device, signal) => device.strategy({ op: 'read', blkno: 0, data: Buffer.alloc(512), signal })],
  ['strategy write', (device, signal) => device.strategy({ op: 'write', blkno: 0, data: Buffer.alloc(512), signal })],
  ['flush', (device, signal) => device.flush({ signal })],
];

const OF_MEDIA = bench.media.flatMap(({ name, disk }) => CALLS.map(([form, call]) => ({ name, disk, form, call })));

describe.each(OF_MEDIA)('$form of $name', ({ disk, call }) => {
  test('rejects with the reason, whatever it is, when already aborted, and touches nothing', async () => {
    const file = disk(content);
    const device = bench.device(file, { mode: 'r+' }, { faults: { rate: 10000, seed: 1 } });
    for (const reason of [new Error('mine'), 'a string', 0, null, { an: 'object' }]) {
      const error = await thrownBy(() => call(device, AbortSignal.abort(reason)));
      expect(error).toBe(reason);
    }
    const standard = (await thrownBy(() => call(device, AbortSignal.abort()))) as Error;
    expect(standard.name).toBe('AbortError');
    expect(device.driver.counters()).toMatchObject({ ioTotal: 0, faultsInjected: 0, flushes: 0 });
    expect(bench.bytes(file).equals(content)).toBe(true);
  });

  test('leaves no listener on the signal behind', async () => {
    const device = bench.device(disk(content), { mode: 'r+' });
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 20 }, () => call(device, signal)));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('an abort after completion changes nothing', async () => {
    const device = bench.device(disk(content), { mode: 'r+' });
    const controller = new AbortController();
    await call(device, controller.signal);
    controller.abort();
    expect(device.readSync(Buffer.alloc(512), 0)).toBe(512);
  });

  test('anything that is no signal is refused', async () => {
    const device = bench.device(disk(content), { mode: 'r+' });
    for (const wrong of [null, 1, 'x', {}, { aborted: true }, new EventTarget()]) {
      expect(await refusal(() => call(device, wrong as AbortSignal))).toBe('ERR_INVALID_ARG_TYPE');
    }
  });
});

test.each(['read', 'write', 'strategy'] as const)('%s: a made-up signal that takes the memory away when it is asked', async (form) => {
  const device = bench.device(bench.image(content), { mode: 'r+' });
  for (const aborted of [false, true]) {
    const data = new Uint8Array(512);
    const nothing = (): void => undefined;
    const signal = {
      addEventListener: nothing,
      removeEventListener: nothing,
      reason: 'aborted',
      get aborted() {
        structuredClone(data, { transfer: [data.buffer] });
        return aborted;
      },
    } as unknown as AbortSignal;
    const call = (): Promise<unknown> =>
      form === 'strategy' ? device.strategy({ op: 'write', blkno: 0, data, signal }) : device[form](data, 0, { signal });
    expect(await refusal(call)).toBe('ERR_INVALID_ARG_VALUE');
  }
});

/** Keeps one worker busy: a batch of 48 MiB, with its sync, is one piece of work, where a long write would go in parts. */
function occupy(device: BlockDevice): Promise<number> {
  const batch = device.createBatch({ depth: 1, arena: 48 * MiB });
  batch.arena.fill(1);
  batch.op[0] = BATCH_WRITE;
  batch.fua[0] = 1;
  batch.bcount[0] = 48 * MiB;
  return batch.run(1);
}

describe('abort of what waits for a busy worker', () => {
  test('a request still queued ends at once and never touches the device', async () => {
    const file = bench.sparse(64 * MiB);
    const device = bench.device(file, { mode: 'r+', access: 'pio' }, { workers: 1, queueDepth: 1 });
    const controller = new AbortController();
    // Long enough, with its sync, that the one worker is still at it when the others are aborted, on a busy machine too.
    const first = occupy(device);
    const second = thrownBy(() => device.write(Buffer.alloc(4096, 9), 60 * MiB, { signal: controller.signal }));
    const third = thrownBy(() => device.write(Buffer.alloc(4096, 9), 61 * MiB, { signal: controller.signal }));
    controller.abort('enough');
    expect(await second).toBe('enough');
    expect(await third).toBe('enough');
    await first;
    await device.close();
    const got = bench.bytes(file);
    expect(got.subarray(48 * MiB).every((byte) => byte === 0)).toBe(true);
    expect(got[48 * MiB - 1]).toBe(1);
  });

  test('a request still queued ends at once on a device that is closing', async () => {
    const file = bench.sparse(64 * MiB);
    const device = bench.device(file, { mode: 'r+', access: 'pio' }, { workers: 1, queueDepth: 1 });
    const controller = new AbortController();
    // As above: the one worker is still at it when the others are aborted.
    const first = occupy(device);
    const waiting = [60, 61].map((mib) => thrownBy(() => device.write(Buffer.alloc(4096, 9), mib * MiB, { signal: controller.signal })));
    const closing = device.close();
    controller.abort('enough');
    expect(await Promise.all(waiting)).toEqual(['enough', 'enough']);
    await Promise.all([first, closing]);
    expect(
      bench
        .bytes(file)
        .subarray(48 * MiB)
        .every((byte) => byte === 0),
    ).toBe(true);
  });

  describe.each(bench.media)('on $name', ({ disk }) => {
    test.each(['write', 'batch'] as const)('an aborted %s that is still in the queue keeps nobody from closing', async (form) => {
      const driver = bench.driver({ workers: 1, queueDepth: 2 });
      const busy = bench.keep(openSync(bench.sparse(64 * MiB), { driver, mode: 'r+', access: 'pio' }));
      const file = disk(content);
      const device = bench.keep(openSync(file, { driver, mode: 'r+' }));
      // As above, with a worker that is busy for another device.
      const served = occupy(busy);
      const controller = new AbortController();
      const { signal } = controller;
      // As many as the queue takes, and some behind it.
      const aborted = Array.from({ length: 5 }, () => {
        if (form === 'write') return thrownBy(() => device.write(Buffer.alloc(4096, 9), 0, { signal }));
        const batch = device.createBatch({ depth: 1 });
        batch.op.fill(1);
        batch.bcount.fill(4096);
        return thrownBy(() => batch.run(1, { signal }));
      });
      controller.abort('enough');
      expect(await Promise.all(aborted)).toEqual(Array.from({ length: 5 }, () => 'enough'));
      device.closeSync();
      await failure(() => device.write(Buffer.alloc(512), 0), 'EBADF');
      expect(await served).toBe(1);
      busy.closeSync();
      driver.close();
      expect(bench.bytes(file).equals(content)).toBe(true);
    });
  });
});

describe('abort of what waits or runs', () => {
  testWith(...STRACE)('a request still queued does not wait for the one that is served', async () => {
    const file = bench.image(content);
    const script = `
      const driver = new BlockDriver({ workers: 1 });
      const disk = openSync(args, { driver, access: 'pio', mode: 'r+' });
      const controller = new AbortController();
      const order = [];
      const first = disk.write(Buffer.alloc(512, 1), 0).then(() => order.push('served'));
      const second = disk.write(Buffer.alloc(512, 1), 512, { signal: controller.signal }).catch((reason) => order.push(reason));
      controller.abort('aborted');
      await Promise.all([first, second]);
      report(order);
      report(disk.driver.counters().ioTotal);
      await disk.close();`;
    const calls = ['pwrite64', 'pwritev', 'pwritev2'];
    const inject = calls.map((name) => `${name}:delay_enter=1500000:when=1`);
    const result = await strace(script, { args: file, calls, inject, only: file });
    expect(result).toMatchObject({ code: 0, stderr: '', reports: [['aborted', 'served'], 1] });
    expect(result.calls.filter(({ injected }) => injected)).toHaveLength(1);
  });

  test.each(bench.grounds)('every request of an aborted crowd settles once, under $name', async ({ access, disk }) => {
    const device = bench.device(disk(content), { mode: 'r+', access }, { queueDepth: 2 });
    const reason = new Error('stop');
    // Before any of them has begun, while some run, and when some are done.
    for (const moment of [0, 1, 2]) {
      const controller = new AbortController();
      const { signal } = controller;
      const crowd = Array.from({ length: 300 }, (_, i) => {
        return i % 2 ? device.read(Buffer.alloc(8 * KiB), i * 512, { signal }) : device.write(Buffer.alloc(8 * KiB), i * 512, { signal });
      });
      for (let i = 0; i < moment; i += 1) await new Promise(setImmediate);
      controller.abort(reason);
      for (const outcome of await Promise.allSettled(crowd)) {
        if (outcome.status === 'rejected') expect(outcome.reason).toBe(reason);
        else expect(Object.values(outcome.value)).toContain(8 * KiB);
      }
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    }
    expect((await device.read(Buffer.alloc(512), 0)).bytesRead).toBe(512);
  });

  test.each(bench.grounds)(
    'one that runs is stopped after the current piece, and the view is free then, under $name',
    async ({ access, disk }) => {
      const device = bench.device(disk(128 * MiB), { mode: 'r+', access }, { windowSize: 64 * KiB, workers: 1 });
      const controller = new AbortController();
      const big = Buffer.alloc(128 * MiB, 1);
      const outcome = thrownBy(() => device.write(big, 0, { signal: controller.signal }));
      setImmediate(() => controller.abort('later'));
      expect(await outcome).toBe('later');
      // The view is the caller's again: what it holds now must not reach the device.
      big.fill(2);
      expect((await device.write(Buffer.alloc(512), 0)).bytesWritten).toBe(512);
    },
  );
});

describe.each(bench.media)('abort of open, of $name', ({ disk }) => {
  test('rejects with the reason and leaves nothing open', async () => {
    const driver = bench.driver();
    const file = disk(content);
    driver.registerSync(file);
    const signal = AbortSignal.abort('no');
    expect(await thrownBy(() => driver.open(0, { signal }))).toBe('no');
    expect(await thrownBy(() => open(file, { driver, signal }))).toBe('no');
    expect(driver.minors()).toMatchObject([{ openCount: 0 }]);
    const controller = new AbortController();
    const opening = Promise.allSettled([driver.open(0, { signal: controller.signal }), open(file, { driver, signal: controller.signal })]);
    controller.abort('late');
    for (const outcome of await opening) {
      if (outcome.status === 'fulfilled') await outcome.value.close();
      else expect(outcome.reason).toBe('late');
    }
    expect(driver.minors()).toMatchObject([{ openCount: 0 }]);
  });
});
