// One image under all three accesses at once, or one disk in memory, batches and leases among them, against a model that is a Buffer.
// RUMPBLK_MODEL_SEED and RUMPBLK_MODEL_PATH replay a run that failed: both are in its message. RUMPBLK_MODEL_SECONDS makes it longer.
import { rmSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BATCH_FLUSH, BATCH_READ, BATCH_WRITE, BlockDriver, type Batch, type BlockDevice, type WindowView } from 'rumpblk';
import { lengthOf, playRounds, seedOf } from '../support/chance';
import { ACCESSES, type Ground, KiB, pattern, rig } from '../support/rig';

const bench = rig();
const WINDOW = 64 * KiB;
const SIZE = 6 * WINDOW + 1234;
const SECTORS = Math.ceil(SIZE / 512);
const content = pattern(SIZE);
const ARENA = 64 * KiB;
const LEASES = 4;

interface Leased {
  view: WindowView;
  position: number;
  access: BlockDevice['access'];
}
interface World {
  model: Buffer;
  devices: Record<BlockDevice['access'], BlockDevice>;
  batches: Record<BlockDevice['access'], Batch>;
  leases: (Leased | undefined)[];
  /** Whether there is a map where the access has one. */
  isMapped: boolean;
}
/** One thing to do, and its name for the report of a failure. */
interface Step {
  run(world: World): Promise<void>;
  toString(): string;
}

const step = (name: string, given: object, run: (world: World) => Promise<void>): Step => ({
  run,
  toString: () => `${name} ${JSON.stringify(given)}`,
});

// ---- what steps are made of
const access = fc.constantFrom(...ACCESSES);
const form = fc.constantFrom('sync', 'promise');
const seed = fc.integer({ min: 1, max: 1e6 });
const length = fc.oneof(fc.integer({ min: 0, max: 600 }), fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: 3 * WINDOW }));
const position = fc.oneof(
  fc.integer({ min: 0, max: SIZE }),
  fc.integer({ min: 0, max: 6 }).map((i) => i * WINDOW),
  fc.integer({ min: SIZE - 700, max: SIZE }),
);
const moved = (at: number, asked: number): number => Math.max(0, Math.min(asked, SIZE - at));

const read = fc.record({ access, form, position, length }).map((given) =>
  step('read', given, async ({ model, devices }) => {
    const device = devices[given.access];
    const got = Buffer.alloc(given.length, 0xcc);
    const bytes = given.form === 'sync' ? device.readSync(got, given.position) : (await device.read(got, given.position)).bytesRead;
    const size = moved(given.position, given.length);
    expect(bytes).toBe(size);
    expect(Buffer.compare(got.subarray(0, size), model.subarray(given.position, given.position + size))).toBe(0);
    expect(got.subarray(size).every((byte) => byte === 0xcc)).toBe(true);
  }),
);

const write = fc.record({ access, form, position, length, seed, fua: fc.constantFrom(undefined, false, true, undefined) }).map((given) =>
  step('write', given, async ({ model, devices }) => {
    const device = devices[given.access];
    const data = pattern(given.length, given.seed);
    const options = given.fua === undefined ? {} : { fua: given.fua };
    const bytes =
      given.form === 'sync'
        ? device.writeSync(data, given.position, options)
        : (await device.write(data, given.position, options)).bytesWritten;
    expect(bytes).toBe(moved(given.position, given.length));
    data.copy(model, given.position, 0, bytes);
  }),
);

const flush = fc
  .record({ access, form })
  .map((given) =>
    step('flush', given, async ({ devices }) =>
      given.form === 'sync' ? devices[given.access].flushSync() : devices[given.access].flush(),
    ),
  );

/** Promise writes and reads of all devices at once, each in a place of its own. */
const burst = fc
  .record({ seed, jobs: fc.array(fc.tuple(access, fc.boolean(), fc.integer({ min: 1, max: 7000 })), { minLength: 2, maxLength: 40 }) })
  .map((given) =>
    step('burst', given, async ({ model, devices }) => {
      const room = Math.floor(SIZE / given.jobs.length);
      await Promise.all(
        given.jobs.map(async ([on, isWrite, size], i) => {
          const at = i * room;
          const data = pattern(Math.min(size, room), given.seed + i);
          if (isWrite) {
            const done = devices[on].write(data, at, { fua: i % 8 === 7 });
            data.copy(model, at);
            expect((await done).bytesWritten).toBe(data.length);
          } else {
            const expected = Buffer.from(model.subarray(at, at + data.length));
            expect((await devices[on].read(data, at)).buffer.equals(expected)).toBe(true);
          }
        }),
      );
    }),
  );

const entry = fc.record({
  op: fc.constantFrom(BATCH_READ, BATCH_WRITE, BATCH_WRITE, BATCH_FLUSH),
  /** Goes on where the one before it ended, on the device and in the arena. */
  isNeighbour: fc.boolean(),
  blkno: fc.integer({ min: -1, max: SECTORS + 1 }),
  offset: fc.integer({ min: 0, max: ARENA }),
  bcount: fc.oneof(
    fc.integer({ min: 0, max: 8 }).map((n) => n * 512),
    fc.integer({ min: 0, max: 9000 }),
  ),
  fua: fc.constantFrom(0, 0, 0, 1),
});
const batch = fc.record({ access, form, seed, entries: fc.array(entry, { minLength: 1, maxLength: 24 }) }).map((given) =>
  step('batch', given, async ({ model, batches }) => {
    const target = batches[given.access];
    const count = given.entries.length;
    target.arena.set(pattern(ARENA, given.seed));
    const arena = Buffer.from(target.arena);
    let next = { blkno: 0, offset: 0 };
    const expected = given.entries.map(({ op, isNeighbour, blkno: first, offset: start, bcount, fua }, i): [number, number] => {
      const { blkno, offset } = isNeighbour ? next : { blkno: first, offset: start };
      [target.op[i], target.blkno[i], target.bcount[i], target.offset[i], target.fua[i]] = [op, blkno, bcount, offset, fua];
      next = { blkno: blkno + Math.ceil(bcount / 512), offset: offset + bcount };
      if (op === BATCH_FLUSH) return [0, 0];
      if (offset + bcount > ARENA || (bcount > 0 && (blkno < 0 || blkno * 512 > SIZE))) return [-22, bcount];
      const size = bcount === 0 ? 0 : moved(blkno * 512, bcount);
      if (size === 0) return [0, bcount];
      if (op === BATCH_READ) model.copy(arena, offset, blkno * 512, blkno * 512 + size);
      else arena.copy(model, blkno * 512, offset, offset + size);
      return [0, bcount - size];
    });
    const good = expected.filter(([error]) => error === 0).length;
    expect(given.form === 'sync' ? target.runSync(count) : await target.run(count)).toBe(good);
    expect(expected.map((_, i) => [target.error[i], target.resid[i]])).toEqual(expected);
    expect(Buffer.compare(target.arena, arena)).toBe(0);
  }),
);

const map = fc.record({ access, slot: fc.nat(LEASES - 1), position, length: fc.integer({ min: 0, max: WINDOW }) }).map((given) =>
  step('map', given, async ({ model, devices, leases, isMapped }) => {
    if (leases[given.slot] !== undefined) return;
    const { access: on, position: at, length: size } = given;
    const isInside = size > 0 && at + size <= SIZE;
    const isInOne = Math.floor(at / WINDOW) === Math.floor((at + size - 1) / WINDOW);
    let view: WindowView;
    try {
      view = devices[on].mapSync(at, size);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (on === 'pio' || !isMapped) expect(code).toBe('ENOTSUP');
      else if (!isInside || !isInOne) expect(code).toBe('EINVAL');
      else {
        // Of the two windows one is leased already, and it is another.
        expect(code).toBe('EBUSY');
        const mine = leases.filter((lease) => lease?.access === on).map((lease) => Math.floor(lease!.position / WINDOW));
        expect(mine).not.toEqual([]);
        expect(mine).not.toContain(Math.floor(at / WINDOW));
      }
      return;
    }
    expect([on !== 'pio', isMapped, isInside, isInOne]).toEqual([true, true, true, true]);
    expect(Buffer.compare(view.bytes, model.subarray(at, at + size))).toBe(0);
    leases[given.slot] = { view, position: at, access: on };
  }),
);

const store = fc.record({ slot: fc.nat(LEASES - 1), from: fc.nat(WINDOW), length, seed }).map((given) =>
  step('store', given, async ({ model, leases }) => {
    const lease = leases[given.slot];
    if (lease === undefined) return;
    const { bytes } = lease.view;
    expect(Buffer.compare(bytes, model.subarray(lease.position, lease.position + bytes.length))).toBe(0);
    const from = given.from % bytes.length;
    const data = pattern(Math.min(given.length, bytes.length - from), given.seed);
    bytes.set(data, from);
    data.copy(model, lease.position + from);
  }),
);

const release = fc.record({ slot: fc.nat(LEASES - 1) }).map((given) =>
  step('release', given, async ({ leases }) => {
    const lease = leases[given.slot];
    leases[given.slot] = undefined;
    lease?.view.release();
    expect(lease?.view.bytes.length ?? 0).toBe(0);
  }),
);

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: read },
    { weight: 4, arbitrary: write },
    flush,
    burst,
    { weight: 3, arbitrary: batch },
    { weight: 2, arbitrary: map },
    { weight: 3, arbitrary: store },
    release,
  ),
  { minLength: 1, maxLength: 80, size: 'max' },
);

async function play({ name, disk }: Ground, sequence: readonly Step[]): Promise<void> {
  const driver = new BlockDriver({ windowSize: WINDOW, windowCount: 2 });
  const file = disk(content);
  const minor = driver.registerSync(file);
  const devices = Object.fromEntries(ACCESSES.map((on) => [on, driver.openSync(minor, { mode: 'r+', access: on })])) as World['devices'];
  const batches = Object.fromEntries(ACCESSES.map((on) => [on, devices[on].createBatch({ depth: 24, arena: ARENA })])) as World['batches'];
  const world: World = {
    model: Buffer.from(content),
    devices,
    batches,
    leases: Array(LEASES).fill(undefined) as undefined[],
    isMapped: name === 'file',
  };
  try {
    for (const each of sequence) await each.run(world);
  } finally {
    for (const device of Object.values(devices)) await device.close();
    driver.close();
  }
  expect(bench.bytes(file).equals(world.model)).toBe(true);
  if (typeof file === 'string') rmSync(file);
}

test.each(bench.media)(
  'whatever is done through whichever device, all see the same bytes, and the $name holds them',
  async (ground) => {
    const { RUMPBLK_MODEL_PATH: at } = process.env;
    const property = fc.asyncProperty(steps, (sequence) => play(ground, sequence));
    const first = seedOf('MODEL');
    // A failure has a minute to be made small.
    await playRounds(lengthOf('MODEL', 6), async (round) => {
      const details = await fc.check(property, {
        seed: first + round,
        numRuns: 10,
        interruptAfterTimeLimit: 60_000,
        ...(at !== undefined && { path: at }),
      });
      if (details.failed) {
        const how = `RUMPBLK_MODEL_SEED=${details.seed} RUMPBLK_MODEL_PATH=${details.counterexamplePath} npx jest test/random/model`;
        throw new Error(`replay with: ${how}\n${fc.defaultReportMessage(details)}`, { cause: details.errorInstance });
      }
    });
  },
  300_000 + 1000 * Number(process.env['RUMPBLK_MODEL_SECONDS'] ?? 0),
);
