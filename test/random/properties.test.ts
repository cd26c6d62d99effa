// Every public function with whatever a caller may hand over: it answers, or it refuses with an error of its own, and
// neither the process nor a byte is lost. RUMPBLK_PROPERTY_SEED and RUMPBLK_PROPERTY_PATH replay a run that failed: both
// are in its message. RUMPBLK_PROPERTY_SECONDS makes it longer.
// Over 300 lines: it is one machine, and what it is made of is used nowhere else.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Batch, BlockDevice, BlockDeviceError, BlockDriver, type WindowView } from 'rumpblk';
import { DeviceDisk } from 'rumpblk/file-disk';
import { memory } from 'rumpblk/media';
import { NbdServer, serve } from 'rumpblk/nbd';
import { openOverlay, type OverlayDevice } from 'rumpblk/overlay';
import { lengthOf, playRounds, seedOf } from '../support/chance';
import { type Entry, entryPoints, functionsOf, membersOf } from '../support/api';
import { anything, detach, FILL, INTEGERS, mostly, recipe, type Recipe, type Recipes, Sabotage, value, values } from '../support/hostile';
import { rig } from '../support/rig';
import { DEPTH, signatures, SIZE } from '../support/signatures';

const bench = rig();
const content = Buffer.alloc(SIZE, FILL);
const image = (): string => bench.image(content);
/** What hostile paths name among others. */
const file = image();
/** What the calls are made on at the moment. */
let present: World;
const ARGUMENTS = signatures(file, () => present.device);

// ---- what calls are made on

interface World {
  driver: BlockDriver;
  device: BlockDevice;
  batch: Batch;
  view: WindowView;
  disk: DeviceDisk;
}

function newWorld(file: string): World {
  const driver = new BlockDriver({ windowSize: 16384 });
  const device = driver.openSync(driver.registerSync(file), { mode: 'r+' });
  const batch = device.createBatch({ depth: DEPTH, arena: new Uint8Array(8192).fill(FILL) });
  return { driver, device, batch, view: device.mapSync(0, 512), disk: new DeviceDisk(device) };
}

async function endWorld({ driver, device }: World): Promise<void> {
  await device.close();
  for (let tries = 0; ; tries += 1) {
    try {
      return driver.close();
    } catch (error) {
      // Only what was aborted and is in the queue still may hold it up.
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || tries > 1000) throw error;
      await new Promise(setImmediate);
    }
  }
}

/** Whether all of the world still works; what was closed, by whom it may, is to be replaced. */
async function isWell({ device, batch, view }: World): Promise<boolean> {
  if (device.closed || view.bytes.length === 0 || batch.arena.length === 0) return false;
  const got = Buffer.alloc(512);
  expect(device.readSync(got, 512) + (await device.write(got, 512)).bytesWritten).toBe(1024);
  for (const column of [batch.op, batch.blkno, batch.bcount, batch.offset, batch.fua]) column.fill(0);
  try {
    expect(batch.runSync(DEPTH)).toBe(DEPTH);
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('EBADF'); // disposed of
    return false;
  }
  return got.every((byte) => byte === FILL) && view.bytes.every((byte) => byte === FILL);
}

// ---- what getters do behind the back of the call that reads them

type Mischief = (world: World, args: readonly unknown[]) => unknown;
const MISCHIEF: Record<string, Mischief> = {
  nothing: () => undefined,
  'detaches every view': (_, args) => args.filter((each) => ArrayBuffer.isView(each)).forEach(({ buffer }) => detach(buffer)),
  'closes the device': ({ device }) => device.closeSync(),
  'closes the device by promise': ({ device }) => device.close(),
  'closes the driver': ({ device, driver }) => (device.closeSync(), driver.close()),
  'disposes of the batch and the view': ({ batch, view }) => (batch[Symbol.dispose](), view.release()),
  'runs the batch': ({ batch }) => (batch.op.fill(0), batch.run(DEPTH)),
  'writes and flushes': ({ device }) => Promise.all([device.write(Buffer.alloc(9000, FILL), 100), device.flush()]),
};

// ---- the calls

/** A name that begins with _ is for the base class of an adapter alone, and the other for util.inspect. */
const NOT_FOR_CALLERS = /#_|Symbol\.util\.inspect\.custom/;

/** Objects whose class is not exported: found by asking for one. */
function functions(): Entry[] {
  const world = newWorld(image());
  const found = [
    ...entryPoints().flatMap(functionsOf),
    ...membersOf('FaultInjector#', world.driver.faults),
    ...membersOf('WindowView#', Object.getPrototypeOf(world.view) as object),
  ].filter(({ name }) => !NOT_FOR_CALLERS.test(name));
  world.device.closeSync();
  world.driver.close();
  return found;
}

const SELF: Record<string, (world: World) => object> = {
  BlockDriver: ({ driver }) => driver,
  BlockDevice: ({ device }) => device,
  Batch: ({ batch }) => batch,
  DeviceDisk: ({ disk }) => disk,
  FaultInjector: ({ driver }) => driver.faults,
  WindowView: ({ view }) => view,
  OverlayDevice: () => overlay,
  NbdServer: () => server,
};

/** Those whose success changes the image. */
const WRITES = /^(write|change|add|resize|remove)Partition|#ioctl$/;
/** Those that change it also when they fail half-way. */
const DESTROYS = /#(discard|writeZeroes)(Sync)?$|^Batch#run(Sync)?$/;
/** How the image is made whole again: cut to nothing for a moment, it would take what the batch and the view see. */
const IN_PLACE = { flag: 'r+' };

interface Call {
  self: Recipe | undefined;
  args: readonly Recipe[];
  mischief: string;
  /** Done when the call has returned and its promise has not settled. */
  meanwhile: string;
  columns: readonly (readonly [op: number, blkno: number, bcount: number, offset: number, fua: number])[];
}

const mischief = fc.oneof({ weight: 2, arbitrary: fc.constant('nothing') }, fc.constantFrom(...Object.keys(MISCHIEF)));
const row = fc.tuple(
  fc.nat(5),
  fc.constantFrom(0, 1, 8, 127, 128, 129, NaN, Infinity, 1e300, 0.5, ...INTEGERS),
  fc.constantFrom(0, 512, 513, 4096, 2 ** 32 - 1),
  fc.constantFrom(0, 512, 4096, 8191, 8192, 2 ** 32 - 1),
  fc.nat(255),
);
const callsOf = (args: readonly Recipes[]): fc.Arbitrary<Call> =>
  fc.record({
    self: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, anything),
    // One more than it takes, and at times fewer.
    args: fc
      .tuple(...args, mostly(values(undefined)))
      .chain((all) => fc.nat(9).map((less) => (less < args.length ? all.slice(0, less) : all))),
    mischief,
    meanwhile: mischief,
    columns: fc.array(row, { minLength: DEPTH, maxLength: DEPTH }),
  });

/** What may come out of a call instead of an answer. */
function isRefusal(error: unknown): boolean {
  if (error instanceof BlockDeviceError || error instanceof Sabotage) return true;
  const { name, code, message } = error as NodeJS.ErrnoException;
  // What the language itself says, whoever wrote the code.
  if (name === 'TypeError' && /proxy that has been revoked|cannot be invoked without 'new'|in instanceof check/.test(message)) return true;
  return ['TypeError', 'RangeError'].includes(name) && typeof code === 'string' && code.startsWith('ERR_');
}

/** Ends what the call has made. */
async function putAway(made: unknown, world: World): Promise<void> {
  if (made instanceof BlockDevice && made !== world.device) await made.close();
  if (made instanceof BlockDriver && made !== world.driver) made.close();
  if (made instanceof NbdServer && made !== server) await made.close();
  if (made instanceof Batch) made[Symbol.dispose]();
  if (typeof made === 'object' && made !== null && 'release' in made) (made as WindowView).release();
}

async function perform({ name, kind, code }: Entry, call: Call, world: World): Promise<void> {
  const args: unknown[] = [];
  const underWay: unknown[] = [];
  let depth = 0;
  const play = (which: string): void => {
    if ((depth += 1) > 3) return;
    try {
      underWay.push(MISCHIEF[which]!(world, [...args, world.batch.arena]));
    } catch {
      // it was closed before
    }
  };
  const trick = (): void => play(call.mischief);
  for (const [i, each] of call.columns.entries()) {
    const { batch } = world;
    [batch.op[i], batch.blkno[i], batch.bcount[i], batch.offset[i], batch.fua[i]] = [...each];
  }
  args.push(...call.args.map((each) => each.make(trick)));
  const own = SELF[name.split(/[#.]/)[0]!]?.(world);
  // An adapter is a subclass of somebody else's class: what it makes of another `this` is that one's affair.
  const self = call.self === undefined || own instanceof DeviceDisk ? own : call.self.make(trick);
  const isNew = kind === 'class' && call.self === undefined;
  try {
    const answer = isNew ? (Reflect.construct(code, args) as unknown) : Reflect.apply(code as never, self, args as never);
    if (answer instanceof Promise) play(call.meanwhile);
    await putAway(await answer, world);
    // A good table or label is written: that is no loss.
    if (WRITES.test(name)) writeFileSync(world.device.path, content, IN_PLACE);
  } catch (error) {
    if (!isRefusal(error)) throw new Error(`not an error to refuse with: ${inspect(error)}`, { cause: error });
  } finally {
    if (DESTROYS.test(name)) writeFileSync(world.device.path, content, IN_PLACE);
    await Promise.allSettled(underWay);
  }
}

// What a call makes by a relative name lies in a folder of its own, and goes before the next one: a later call that is handed the
// same name would take other bytes for a disk.
const folder = bench.path('working folder');
const cwd = process.cwd();
beforeAll(() => {
  mkdirSync(folder);
  process.chdir(folder);
});
afterAll(() => process.chdir(cwd));

function emptyFolder(): void {
  for (const name of readdirSync(folder)) rmSync(path.join(folder, name), { recursive: true, force: true });
}

/** Performs a call, and looks whether the images and the world have survived it; whether the world is still to be used. */
async function attempt(entry: Entry, call: Call, world: World, images: readonly string[]): Promise<boolean> {
  present = world;
  try {
    await perform(entry, call, world);
  } finally {
    emptyFolder();
  }
  for (const each of images) expect(readFileSync(each).equals(content)).toBe(true);
  return isWell(world);
}

/** A world after one that was used up or spoiled, over images that are whole again: its failure is not that of the next call. */
async function renewed(spent: World, own: string): Promise<World> {
  await endWorld(spent);
  for (const each of [file, own]) if (!readFileSync(each).equals(content)) writeFileSync(each, content);
  return newWorld(own);
}

/** Over a disk in memory; nothing that is called closes it. */
let overlay: OverlayDevice;
/** Of that disk; some of what is called closes it. */
let server: NbdServer;
beforeAll(async () => {
  overlay = await openOverlay(memory({ size: 65536 }));
  server = await serve({ exports: { overlay }, port: 0 });
});
afterAll(() => server.close());
afterAll(() => overlay.close());

let tried = 0;
const { RUMPBLK_PROPERTY_PATH: at } = process.env;
const seed = seedOf('PROPERTY');
const { seconds, rounds } = lengthOf('PROPERTY', 1);
// Said before the first call: a crash says nothing.
process.stderr.write(`properties: RUMPBLK_PROPERTY_SEED=${seed}\n`);

afterAll(() => {
  process.stderr.write(`properties: ${tried} calls tried\n`);
});

test('every public function has a property, and every property a function', () => {
  expect(functions().map(({ name }) => name).sort()).toEqual(Object.keys(ARGUMENTS).sort()); // prettier-ignore
});

test('a call meets no file that an earlier one has made, and its failure is not told of the next one', async () => {
  const own = image();
  const entry = functions().find(({ name }) => name === 'copy')!;
  const call = (...args: Recipe[]): Call => ({ self: undefined, args, mischief: 'nothing', meanwhile: 'nothing', columns: [] });
  let world = newWorld(own);
  const perform = (...args: Recipe[]): Promise<boolean> => attempt(entry, call(...args), world, [own]);
  // A hole, and then the bytes of the image: other bytes than those of a disk here.
  await expect(perform(value(file), value('x'), value({ length: 512, targetPosition: 512 }))).resolves.toBe(true);
  await expect(
    perform(
      value('x'),
      recipe('device', () => world.device),
    ),
  ).resolves.toBe(true);
  const zeros = recipe('a disk of zeros', () => memory({ size: 512 }));
  await expect(
    perform(
      zeros,
      recipe('device', () => world.device),
    ),
  ).rejects.toThrow();
  world = await renewed(world, own);
  await expect(perform(zeros, value('x'))).resolves.toBe(true);
  await endWorld(world);
});

const share = seconds / Object.keys(ARGUMENTS).length;

test.each(
  functions()
    .filter(({ name }) => name in ARGUMENTS)
    .map((entry) => [entry.name, entry] as const),
)(
  '%s',
  async (name, entry) => {
    const own = image();
    let world = newWorld(own);
    const property = fc.asyncProperty(callsOf(ARGUMENTS[name]!), async (call) => {
      tried += 1;
      let isUsable = false;
      try {
        isUsable = await attempt(entry, call, world, [file, own]);
      } finally {
        if (!isUsable) world = await renewed(world, own);
      }
      if (!isUsable) expect(await isWell(world)).toBe(true);
    });
    await playRounds({ seconds: share, rounds }, async (round) => {
      const details = await fc.check(property, { seed: seed + round, numRuns: 100, ...(at !== undefined && { path: at }) });
      if (details.failed) {
        const how = `RUMPBLK_PROPERTY_SEED=${details.seed} RUMPBLK_PROPERTY_PATH=${details.counterexamplePath} npx jest test/random/properties -t '${name}'`;
        throw new Error(`replay with: ${how}\n${fc.defaultReportMessage(details)}`, { cause: details.errorInstance });
      }
    });
    await endWorld(world);
  },
  120_000 + (Number.isFinite(seconds) ? 1000 * seconds : 0),
);
