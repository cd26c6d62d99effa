// Protected ranges of an open: writes into them are EROFS, whole, and nothing is written.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BATCH_FLUSH, BATCH_WRITE, type BlockDevice, type OpenOptions, type Source, open } from 'rumpblk';
import { seedOf } from '../support/chance';
import { failure, refusal } from '../support/failure';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = MiB;

function guarded(
  options: OpenOptions,
  protect: [number, number][] = [[4096, 4096]],
  disk: Source = bench.image(pattern(SIZE)),
): BlockDevice {
  return bench.device(disk, { mode: 'r+', ...options, protect });
}
const unchanged = (device: BlockDevice): void => {
  expect(bench.bytes(device).equals(pattern(SIZE))).toBe(true);
};

test.each(bench.grounds)('a write that touches one is EROFS under $name, and none of it is written', async ({ access, disk }) => {
  const device = guarded({ access }, [[4096, 4096]], disk(pattern(SIZE)));
  for (const [position, length] of [
    [4096, 1],
    [8191, 1],
    [0, 4097],
    [8191, 4096],
    [0, SIZE],
    [5000, 100],
  ] as const) {
    const data = Buffer.alloc(length);
    expect(await failure(() => device.writeSync(data, position), 'EROFS')).toMatchObject({ bytesTransferred: 0, minor: 0 });
    await failure(() => device.write(data, position), 'EROFS');
    await failure(() => device.write(data, position, { fua: true }), 'EROFS');
  }
  await failure(() => device.strategySync({ op: 'write', blkno: 15, data: Buffer.alloc(512) }), 'EROFS');
  unchanged(device);
  expect(device.writeSync(pattern(SIZE).subarray(0, 4096), 0)).toBe(4096);
  expect(device.writeSync(pattern(SIZE).subarray(8192), 8192)).toBe(SIZE - 8192);
  unchanged(device);
  expect(device.readSync(Buffer.alloc(SIZE), 0)).toBe(SIZE);
});

test.each(bench.grounds)(
  'a raw write of many chunks whose last one touches it is refused before the first, under $name',
  async ({ access, disk }) => {
    const device = guarded({ access, raw: true }, [[512 * KiB, 512]], disk(pattern(SIZE)));
    await failure(() => device.writeSync(Buffer.alloc(768 * KiB), 0), 'EROFS');
    await failure(() => device.write(Buffer.alloc(768 * KiB), 0), 'EROFS');
    unchanged(device);
    expect(device.writeSync(Buffer.alloc(512 * KiB), 0)).toBe(512 * KiB);
  },
);

test.each(bench.media)('a batch: the entries that touch it are EROFS, and no other, on $name', async ({ disk }) => {
  const device = guarded({}, [[4096, 4096]], disk(pattern(SIZE)));
  const batch = device.createBatch({ depth: 8 });
  for (const run of [(): number => batch.runSync(5), (): Promise<number> => batch.run(5)]) {
    batch.arena.fill(0);
    batch.op.fill(BATCH_WRITE);
    batch.op[4] = BATCH_FLUSH;
    for (let i = 0; i < 4; i += 1) {
      batch.blkno[i] = 4 + 4 * i;
      batch.bcount[i] = 2048;
      batch.offset[i] = 2048 * i;
    }
    expect(await run()).toBe(3);
    expect([...batch.error.subarray(0, 5)]).toEqual([0, -30, -30, 0, 0]);
    expect([...batch.resid.subarray(0, 4)]).toEqual([0, 2048, 2048, 0]);
  }
  batch[Symbol.dispose]();
  const expected = pattern(SIZE);
  expected.fill(0, 2048, 4096).fill(0, 8192, 10240);
  device.closeSync();
  expect(bench.bytes(device).equals(expected)).toBe(true);
});

test.each(['auto', 'mmap'] as const)(
  'mapSync over one is EROFS on an r+ device, and a private copy on an r one, under %s',
  async (access) => {
    const device = guarded({ access });
    await failure(() => device.mapSync(0, 4097), 'EROFS');
    await failure(() => device.mapSync(8191, 1), 'EROFS');
    const view = device.mapSync(0, 4096);
    view.bytes.set(pattern(4096));
    view.release();
    const reader = guarded({ access, mode: 'r' });
    reader.mapSync(4096, 4096).bytes.fill(1);
    await failure(() => reader.writeSync(Buffer.alloc(1), 4096), 'EACCES');
    unchanged(device);
    unchanged(reader);
  },
);

test('the device ends first, and faults come first', async () => {
  const device = guarded({}, [[SIZE - 512, 4096]]);
  await failure(() => device.writeSync(Buffer.alloc(512), SIZE + 512), 'EINVAL');
  expect(device.writeSync(Buffer.alloc(512), SIZE)).toBe(0);
  await failure(() => device.writeSync(Buffer.alloc(1024), SIZE - 512), 'EROFS');
  device.driver.faults.set({ rate: 10000, seed: 1 });
  expect(await failure(() => device.writeSync(Buffer.alloc(1), SIZE - 1), 'EIO')).toMatchObject({ injected: true });
});

test('ranges are of one open, may overlap, be empty, or lie beyond the end', async () => {
  const driver = bench.driver();
  const minor = driver.registerSync(bench.image(pattern(SIZE)), { offset: 1000, size: 100_000 });
  const protect: [number | bigint, number | bigint][] = [
    [5000n, 100],
    [5050, 100n],
    [7000, 0],
    [99_999, 2 ** 53 - 1],
    [2 ** 53 - 1, 5],
  ];
  const one = bench.keep(driver.openSync(minor, { mode: 'r+', protect }));
  const two = bench.keep(driver.openSync(minor, { mode: 'r+' }));
  for (const position of [5000, 5149, 99_999]) await failure(() => one.writeSync(Buffer.alloc(1), position), 'EROFS');
  for (const position of [4999, 5150, 7000, 99_998]) expect(one.writeSync(Buffer.alloc(1), position)).toBe(1);
  expect(two.writeSync(Buffer.alloc(1), 5000)).toBe(1);
});

test('any writes around any ranges leave the ranges as they were', () => {
  const SMALL = 4096;
  const span = fc.tuple(fc.nat(SMALL), fc.nat(600));
  fc.assert(
    fc.property(
      fc.array(span, { maxLength: 5 }),
      fc.array(span, { maxLength: 20 }),
      fc.constantFrom(...bench.grounds),
      fc.boolean(),
      (protect, writes, { access, disk }, raw) => {
        const content = pattern(SMALL);
        const device = bench.device(disk(content), { mode: 'r+', access, raw, protect });
        for (const [at, length] of writes) {
          const position = raw ? at - (at % 512) : at;
          const end = Math.min(position + length, SMALL);
          const hit = protect.some(([from, size]) => position < end && from < end && position < from + size && size > 0 && from < SMALL);
          let code: unknown;
          try {
            device.writeSync(Buffer.alloc(length, 0xaa), position);
            content.fill(0xaa, position, end);
          } catch (error) {
            ({ code } = error as { code: unknown });
          }
          expect(code).toBe(hit ? 'EROFS' : undefined);
        }
        device.closeSync();
        expect(bench.bytes(device).equals(content)).toBe(true);
      },
    ),
    { seed: seedOf('PROTECT'), numRuns: 60 },
  );
});

test('arguments', async () => {
  const file = bench.sparse(512);
  const wrong: [unknown, string][] = [
    [5, 'ERR_INVALID_ARG_TYPE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [[5], 'ERR_INVALID_ARG_TYPE'],
    [Array(1), 'ERR_INVALID_ARG_TYPE'],
    [[Array(2)], 'ERR_INVALID_ARG_TYPE'],
    [[[1]], 'ERR_INVALID_ARG_VALUE'],
    [[[1, 2, 3]], 'ERR_INVALID_ARG_VALUE'],
    [[[-1, 2]], 'ERR_OUT_OF_RANGE'],
    [[[0.5, 2]], 'ERR_OUT_OF_RANGE'],
    [[['0', 2]], 'ERR_INVALID_ARG_TYPE'],
    [[[0, 2n ** 60n]], 'ERR_OUT_OF_RANGE'],
  ];
  for (const [protect, code] of wrong) {
    expect(await refusal(() => open(file, { mode: 'r+', protect: protect as never }))).toBe(code);
  }
});
