// discard, writeZeroes and prefetch: what becomes of the bytes, of the counters, and of what must not change.
import { describe, expect, test } from '@jest/globals';
import { BATCH_DISCARD, BATCH_READ, BATCH_ZEROES, type BlockDevice } from 'rumpblk';
import { nullMedium } from 'rumpblk/media';
import { fill, FORMS, numbers, outcomesOf } from '../support/batch';
import { failure, refusal, thrownBy } from '../support/failure';
import { MiB, pattern, rig } from '../support/rig';
import { STRACE, strace } from '../support/strace';
import { testWith } from '../support/peers';

const bench = rig();
const SIZE = MiB + 512;
const content = pattern(SIZE);

/** Both forms of the calls, as one. */
const CALLS = [
  {
    form: 'promise',
    discard: async (device: BlockDevice, at: number, length: number) => (await device.discard(at, length)).bytesDiscarded,
    zero: async (device: BlockDevice, at: number, length: number) => (await device.writeZeroes(at, length)).bytesWritten,
  },
  {
    form: 'Sync',
    discard: (device: BlockDevice, at: number, length: number) => Promise.resolve(device.discardSync(at, length)),
    zero: (device: BlockDevice, at: number, length: number) => Promise.resolve(device.writeZeroesSync(at, length)),
  },
];

describe.each(bench.grounds)('under $name', ({ access, disk }) => {
  const opened = (options = {}): BlockDevice => bench.device(disk(content), { access, mode: 'r+', ...options });

  test.each(CALLS)('zeros are zeros to the byte, and all else stays ($form)', async ({ zero }) => {
    const device = opened();
    const model = Buffer.from(content);
    const next = numbers(7);
    for (let i = 0; i < 60; i += 1) {
      const at = next(SIZE);
      const length = next(i % 4 === 0 ? 300_000 : 9000);
      const moved = Math.min(length, SIZE - at);
      expect(await zero(device, at, length)).toBe(moved);
      model.fill(0, at, at + moved);
      const back = Buffer.alloc(SIZE);
      device.readSync(back, 0);
      expect(back.equals(model)).toBe(true);
      // Something else than zeros again, for the next one to meet.
      if (i % 7 === 0) {
        device.writeSync(content, 0);
        content.copy(model);
      }
    }
    await device.flush();
    expect(bench.bytes(device).equals(model)).toBe(true);
  });

  test.each(CALLS)('a discard leaves bytes as they were or zeros, and parts of a granule as they were ($form)', async ({ discard }) => {
    const device = opened();
    const told = await discard(device, 5000, 100_000);
    expect([0, 100_000]).toContain(told);
    const back = Buffer.alloc(SIZE);
    device.readSync(back, 0);
    for (let i = 0; i < SIZE; i += 1) {
      const isInside = told > 0 && i >= 8192 && i < 102_400;
      if (back[i] !== content[i] && !(isInside && back[i] === 0)) throw new Error(`byte ${i} is ${back[i]}`);
    }
    expect(await discard(device, SIZE, 10)).toBe(0);
    expect(await discard(device, SIZE - 10, 100)).toBe(told > 0 ? 10 : 0);
  });

  test('count for themselves', async () => {
    const device = opened();
    await device.discard(0, 4096);
    device.writeZeroesSync(512, 1000);
    device.writeZeroesSync(SIZE - 100, 1000);
    const { discards, bytesDiscarded, discardsIgnored, zeroes, bytesZeroed, ioTotal, bytesWritten } = device.driver.counters();
    expect([discards, zeroes, bytesZeroed, ioTotal, bytesWritten]).toEqual([1, 2, 1100, 0, 0]);
    expect([
      [0, 1],
      [4096, 0],
    ]).toContainEqual([bytesDiscarded, discardsIgnored]);
  });

  test('obey bounds, mode, sectors of raw opens, protected ranges and faults as a write does', async () => {
    const device = opened({ protect: [[4096, 8192]] });
    for (const { discard, zero } of CALLS) {
      for (const call of [discard, zero]) {
        await failure(() => call(device, SIZE + 1, 1), 'EINVAL');
        await failure(() => call(device, 4000, 1000), 'EROFS');
        await failure(() => call(device, 0, SIZE), 'EROFS');
        expect(await thrownBy(() => call(device, -1, 1))).toBeInstanceOf(RangeError);
        expect(await thrownBy(() => call(device, 0, 2 ** 53))).toBeInstanceOf(RangeError);
      }
    }
    expect(bench.bytes(device).equals(content)).toBe(true);
    const reader = bench.device(disk(content), { access });
    await failure(() => reader.writeZeroes(0, 512), 'EACCES');
    expect((await failure(() => reader.discardSync(0, 512), 'EACCES')).message).toMatch(/mode 'r'/);
    reader.prefetch(0, SIZE);
    const raw = opened({ raw: true });
    await failure(() => raw.writeZeroes(1, 512), 'EINVAL');
    expect(raw.writeZeroesSync(512, 200_000)).toBe(200_000);
    expect(raw.driver.counters().zeroes).toBe(1);
  });

  test('draw nothing from the seed: its stream is that of reads and writes', async () => {
    const seen = async (with_: boolean): Promise<string> => {
      const device = opened();
      device.driver.faults.set({ rate: 2000, seed: 5 });
      let failed = '';
      for (let i = 0; i < 40; i += 1) {
        if (with_) {
          device.writeZeroesSync(0, 512);
          await device.discard(0, 512);
          device.prefetch(0, 512);
        }
        failed += await device.read(Buffer.alloc(512), 0).then(
          () => '.',
          () => 'x',
        );
      }
      return failed;
    };
    const plain = await seen(false);
    expect(plain).toMatch(/x/);
    expect(await seen(true)).toBe(plain);
  });

  test('strategy takes them, with bytes instead of memory', async () => {
    const device = opened();
    expect(await device.strategy({ op: 'zero', blkno: 2, bcount: 1024, deferred: true })).toEqual({ bcount: 1024, resid: 0 });
    const { bcount, resid } = device.strategySync({ op: 'discard', blkno: 2, bcount: 512 });
    expect([0, 512]).toContain(resid);
    expect(bcount).toBe(512);
    await failure(() => device.strategy({ op: 'zero', blkno: -1, bcount: 512 }), 'EINVAL');
    expect(await refusal(() => device.strategy({ op: 'zero', blkno: 0, data: Buffer.alloc(512) } as never))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await refusal(() => device.strategySync({ op: 'discard', blkno: 0 } as never))).toBe('ERR_INVALID_ARG_TYPE');
    const back = Buffer.alloc(2048);
    device.readSync(back, 512);
    expect(back.subarray(512, 1536).equals(Buffer.alloc(1024))).toBe(true);
    expect(back.subarray(0, 512).equals(content.subarray(512, 1024))).toBe(true);
  });

  test.each(FORMS)('a batch has them in order with its other entries (%s)', async (_name, run) => {
    const device = opened();
    const batch = device.createBatch({ depth: 4, arena: 4 * 4096 });
    const count = fill(batch, [
      { op: BATCH_READ, blkno: 8, bcount: 4096, offset: 0 },
      { op: BATCH_ZEROES, blkno: 9, bcount: 1024, offset: 2 ** 32 - 1 },
      { op: BATCH_READ, blkno: 8, bcount: 4096, offset: 4096 },
      { op: BATCH_DISCARD, blkno: 9, bcount: 512, offset: 0 },
    ]);
    expect(await run(batch, count)).toBe(4);
    expect(outcomesOf(batch, 3)).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
    const before = Buffer.from(content.subarray(4096, 8192));
    expect(Buffer.from(batch.arena.subarray(0, 4096)).equals(before)).toBe(true);
    before.fill(0, 512, 1536);
    expect(Buffer.from(batch.arena.subarray(4096, 8192)).equals(before)).toBe(true);
  });

  test('a partition is zeroed where it lies, and nothing around it', () => {
    const image = disk(content);
    const driver = bench.driver();
    const partition = driver.openSync(driver.registerSync(image, { offset: 65536, size: 65536 }), { access, mode: 'r+' });
    expect(partition.writeZeroesSync(0, 10 * MiB)).toBe(65536);
    partition.closeSync();
    const wanted = Buffer.from(content);
    wanted.fill(0, 65536, 131_072);
    expect(bench.bytes(image).equals(wanted)).toBe(true);
  });
});

test('options are known, and a signal ends what has not begun', async () => {
  const device = bench.device(bench.image(content), { mode: 'r+' });
  const signal = AbortSignal.abort(new Error('enough'));
  expect(String(await thrownBy(() => device.writeZeroes(0, 512, { signal })))).toMatch(/enough/);
  expect(String(await thrownBy(() => device.discard(0, 512, { signal })))).toMatch(/enough/);
  expect(String(await thrownBy(() => device.writeZeroes(0, 512, { unmap: true } as never)))).toMatch(/did you mean 'mayUnmap'/);
  expect(await refusal(() => device.writeZeroesSync(0, 512, { signal } as never))).toBe('ERR_INVALID_ARG_VALUE');
  expect(await refusal(() => device.writeZeroesSync(0, 512, { fast: 1 } as never))).toBe('ERR_INVALID_ARG_TYPE');
  await device.close();
  for (const call of [() => device.discardSync(0, 1), () => device.writeZeroes(0, 1), () => device.prefetch(0, 1)])
    await failure(call, 'EBADF');
});

testWith(...STRACE)('durable zeros are synced before they complete; a prefetch asks the host to read', async () => {
  const script = `
    const device = openSync(args, { mode: 'r+' });
    mark('plain');
    device.writeZeroesSync(0, 4096);
    mark('fua');
    device.writeZeroesSync(4096, 4096, { fua: true });
    mark('prefetch');
    device.prefetch(0, 65536);
    mark('end');
    device.closeSync();`;
  const traced = await strace(script, { args: bench.image(content), calls: ['pwrite64', 'fallocate', 'fdatasync', 'fadvise64'] });
  const names = (mark: string): string[] => traced.after(mark).map(({ name }) => name);
  expect(traced.stderr).toBe('');
  expect([names('plain'), names('fua'), names('prefetch')]).toEqual([['fallocate'], ['fallocate', 'fdatasync'], ['fadvise64']]);
});

test('a null medium takes all of it', () => {
  const device = bench.device(nullMedium({ size: 2 ** 40 }), { mode: 'r+' });
  expect(device.writeZeroesSync(0, 2 ** 40, { fast: true })).toBe(2 ** 40);
  expect(device.discardSync(0, 2 ** 40)).toBe(2 ** 40);
});
