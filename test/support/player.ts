// Plays one round of random steps in a worker thread: on a range of an image that several threads share, and on an image
// of its own, which is resized underneath. Decisions come from the seed alone, never from what was quicker.
// Over 300 lines: compiled.ts makes one script of it, so it imports nothing of this folder.
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { type Batch, BATCH_FLUSH, BATCH_READ, BATCH_WRITE, type BlockDevice, BlockDriver, type WindowView } from 'rumpblk';

export interface Round {
  seed: number;
  steps: number;
  /** The shared image, and the range of it that is this thread's. */
  file: string;
  offset: number;
  size: number;
  /** The image of its own. */
  own: string;
}

const { seed, steps, file, offset, size: SIZE, own } = workerData as Round;

let state = (seed * 0x9e3779b1) | 1;
/** A number below `limit`. */
function below(limit: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return Math.floor(((state >>> 0) / 2 ** 32) * limit);
}
const pick = <T>(of: readonly T[]): T => of[below(of.length)]!;
const chance = (n: number): boolean => below(n) === 0;

const trace: string[] = [];
function check(isRight: boolean, what: string): asserts isRight {
  if (!isRight) throw new Error(`${what}\nlast steps:\n${trace.slice(-25).join('\n')}`);
}

function bytes(length: number): Buffer {
  const made = Buffer.allocUnsafe(length);
  const start = below(256);
  for (let i = 0; i < length; i += 1) made[i] = start + i + (i >> 8) * 3;
  return made;
}

// ---- what should be in the file

const descriptor = openSync(file, 'r+');
const model = Buffer.alloc(SIZE);
function inFile(start: number, length: number): Buffer {
  const got = Buffer.alloc(length);
  readSync(descriptor, got, 0, length, offset + start);
  return got;
}
/** A write that failed or was aborted: every byte is the old one or the new one. Later steps go by what is there. */
function settleEither(start: number, data: Buffer): void {
  const there = inFile(start, data.length);
  for (let i = 0; i < there.length; i += 1) {
    check(there[i] === data[i] || there[i] === model[start + i], `byte ${start + i} is neither what it was nor what was written`);
  }
  there.copy(model, start);
}

// ---- requests that were not waited for, and what they may not meet

interface Pending {
  start: number;
  end: number;
  isWrite: boolean;
  done: Promise<void>;
}
let pending: Pending[] = [];
let closing: Promise<unknown>[] = [];
async function settle(): Promise<void> {
  await Promise.all([...pending.map(({ done }) => done), ...closing]);
  [pending, closing] = [[], []];
}
async function reserve(start: number, end: number, isWrite: boolean): Promise<void> {
  if (pending.some((other) => start < other.end && other.start < end && (isWrite || other.isWrite))) await settle();
}

// ---- the world

interface Open {
  device: BlockDevice;
  raw: boolean;
  views: { view: WindowView; start: number }[];
}
const driver = new BlockDriver({
  windowSize: pick([4096, 16384, 65536]),
  windowCount: 1 + below(4),
  queueDepth: pick([1, 4, 64]),
  workers: 1 + below(4),
});
let open: Open[] = [];
let isFaulty = false;

const STOP = new Error('stop');
/** Errors that a request may end with here; anything else is a find. */
function mayFail(error: unknown, ...more: string[]): void {
  if (error === STOP) return;
  const { code, injected } = error as { code?: string; injected?: boolean };
  if (injected === true && code === 'EIO' && isFaulty) return;
  check(code !== undefined && ['EBADF', ...more].includes(code), `unexpected ${String(error)}`);
}

function place(raw: boolean): [start: number, length: number] {
  const unit = raw ? 512 : 1;
  const start = Math.floor(below(SIZE) / unit) * unit;
  return [start, Math.min(pick([1, 200, 512, 4096, 9000, 80_000]) * unit, SIZE - start)];
}

const twists = ['none', 'none', 'transfer', 'abort', 'close', 'abort in the queue'] as const;
/** Does to a request under way what its caller may do. */
function twist(how: (typeof twists)[number], target: Open, view: Buffer, controller: AbortController): void {
  if (how === 'transfer') structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
  if (how === 'abort') setImmediate(() => controller.abort(STOP));
  if (how === 'abort in the queue') controller.abort(STOP);
  if (how === 'close') shut(target);
}
function shut(target: Open): void {
  open = open.filter((other) => other !== target);
  closing.push(target.device.close().catch((error: unknown) => check(false, `close: ${String(error)}`)));
}

async function write(target: Open): Promise<void> {
  const [start, length] = place(target.raw);
  const data = bytes(length);
  const fua = pick([undefined, true, false]);
  const options = fua === undefined ? {} : { fua };
  await reserve(start, start + length, true);
  if (chance(2)) {
    try {
      check(target.device.writeSync(data, start, options) === length, 'a short write');
      data.copy(model, start);
    } catch (error) {
      mayFail(error);
      settleEither(start, data);
    }
    return;
  }
  const controller = new AbortController();
  const given = Buffer.from(new Uint8Array(data).buffer);
  const begun = target.device.write(given, start, { ...options, signal: controller.signal }).then(
    ({ bytesWritten }) => {
      check(bytesWritten === length, 'a short write');
      data.copy(model, start);
    },
    (error: unknown) => {
      mayFail(error);
      settleEither(start, data);
    },
  );
  pending.push({ start, end: start + length, isWrite: true, done: begun });
  twist(pick(twists), target, given, controller);
}

async function read(target: Open): Promise<void> {
  const [start, length] = place(target.raw);
  await reserve(start, start + length, false);
  const got = Buffer.from(new ArrayBuffer(length + 8));
  got.fill(0xcc);
  const compare = (bytesRead: number): void => {
    check(bytesRead === length, 'a short read');
    if (got.buffer.byteLength === 0) return; // it was here when the caller gave it away
    check(Buffer.compare(got.subarray(0, length), model.subarray(start, start + length)) === 0, `wrong bytes at ${start}`);
    check(
      got.subarray(length).every((byte) => byte === 0xcc),
      'bytes behind the view',
    );
  };
  if (chance(2)) {
    try {
      return compare(target.device.readSync(got, start, { length }));
    } catch (error) {
      return mayFail(error);
    }
  }
  const controller = new AbortController();
  const begun = target.device.read(got, start, { length, signal: controller.signal });
  const done = begun.then(({ bytesRead }) => compare(bytesRead), (error: unknown) => mayFail(error, 'EFAULT')); // prettier-ignore
  pending.push({ start, end: start + length, isWrite: false, done });
  twist(pick(twists), target, got, controller);
}

async function strategy(target: Open): Promise<void> {
  const blkno = below(Math.floor(SIZE / 512) - 16);
  const data = bytes(512 * (1 + below(16)));
  await settle();
  try {
    check((await target.device.strategy({ op: 'write', blkno, data, deferred: chance(2) })).resid === 0, 'a residual');
    data.copy(model, blkno * 512);
  } catch (error) {
    mayFail(error);
    settleEither(blkno * 512, data);
  }
}

async function batch(target: Open): Promise<void> {
  await settle();
  const made: Batch = target.device.createBatch({ depth: 16, arena: 16 * 4096 });
  const controller = new AbortController();
  const before: [start: number, data: Buffer][] = [];
  for (let i = 0; i < 16; i += 1) {
    const room = Math.floor(SIZE / 512 / 16);
    [made.op[i], made.blkno[i], made.bcount[i], made.offset[i], made.fua[i]] = [pick([BATCH_READ, BATCH_WRITE, BATCH_WRITE, BATCH_FLUSH]), i * room + below(room - 8), 512 * (1 + below(8)), i * 4096, below(2)]; // prettier-ignore
    const data = bytes(made.bcount[i]!);
    made.arena.set(data, i * 4096);
    before.push([made.blkno[i]! * 512, data]);
  }
  try {
    const isSync = chance(2);
    const running = isSync ? made.runSync(16) : made.run(16, { signal: controller.signal });
    if (!isSync && chance(3)) controller.abort(STOP);
    await running;
  } catch (error) {
    mayFail(error);
  }
  for (const [i, [start, data]] of before.entries()) {
    const isGood = made.error[i] === 0;
    if (!isGood) check(isFaulty || controller.signal.aborted, `entry ${i}: ${made.error[i]!}`);
    if (made.op[i] === BATCH_WRITE && !isGood) settleEither(start, data);
    else if (made.op[i] === BATCH_WRITE) data.copy(model, start);
    else if (made.op[i] === BATCH_READ && isGood) {
      check(
        model.subarray(start, start + data.length).equals(made.arena.subarray(i * 4096, i * 4096 + data.length)),
        `entry ${i} read wrong bytes`,
      );
    }
  }
  made[Symbol.dispose]();
}

async function map(target: Open): Promise<void> {
  await settle();
  for (const { view, start } of target.views) {
    if (target.device.mode === 'r') continue;
    check(model.subarray(start, start + view.bytes.length).equals(view.bytes), `a view shows wrong bytes at ${start}`);
    const data = bytes(below(view.bytes.length));
    view.bytes.set(data);
    data.copy(model, start);
  }
  if (chance(2)) return target.views.splice(below(4), 1).forEach(({ view }) => view.release());
  const [start, length] = [below(SIZE), 1 + below(6000)];
  try {
    target.views.push({ view: target.device.mapSync(start, length), start });
  } catch (error) {
    mayFail(error, 'EINVAL', 'EBUSY', 'ENOTSUP');
  }
}

async function openOne(): Promise<void> {
  const minor = chance(2) ? driver.registerSync(file, { offset, size: SIZE }) : await driver.register(file, { offset, size: SIZE });
  const options = { mode: pick(['r', 'r+', 'r+'] as const), access: pick(['auto', 'mmap', 'pio'] as const), cache: pick(['writethrough', 'writeback', 'unsafe'] as const), raw: chance(3) }; // prettier-ignore
  open.push({ device: chance(2) ? driver.openSync(minor, options) : await driver.open(minor, options), raw: options.raw, views: [] });
}

/** What was aborted in the queue has settled, and counts as in flight until the queue comes to it. */
async function unlessBusy(action: () => void): Promise<void> {
  for (;;) {
    try {
      return action();
    } catch (error) {
      check((error as { code?: string }).code === 'EBUSY', String(error));
      await new Promise(setImmediate);
    }
  }
}

async function control(target: Open): Promise<void> {
  const what = pick(['flush', 'close', 'closeSync', 'faults', 'deregister', 'counters'] as const);
  if (what === 'flush') await (chance(2) ? target.device.flush() : target.device.flushSync());
  if (what === 'close') shut(target);
  if (what === 'counters') check(driver.counters().ioTotal >= 0 && target.device.windows().length >= 0, 'counters');
  if (what === 'closeSync') {
    await settle();
    await unlessBusy(() => target.device.closeSync());
    open = open.filter((other) => other !== target);
  }
  if (what === 'faults') {
    await settle();
    driver.faults.set({ rate: pick([0, 0, 300, 5000]), seed: seed >>> 0 });
    isFaulty = driver.faults.rate > 0;
  }
  if (what === 'deregister') {
    let code: string | undefined;
    try {
      driver.deregister(target.device.minor);
    } catch (error) {
      ({ code } = error as { code?: string });
    }
    check(code === 'EBUSY', 'a minor was freed while it was open');
  }
}

/** The image of its own becomes shorter under an open device, and whole again. */
async function resize(): Promise<void> {
  const fd = openSync(own, 'r+');
  const content = bytes(fstatSync(fd).size);
  writeSync(fd, content, 0, content.length, 0);
  const minor = driver.registerSync(own);
  const device = driver.openSync(minor, { mode: 'r+', access: pick(['auto', 'mmap', 'pio'] as const) });
  const size = device.size;
  const views: { view: WindowView; start: number }[] = [];
  const attempt = async (action: () => unknown): Promise<unknown> => {
    try {
      return await action();
    } catch (error) {
      mayFail(error, 'EIO', 'EINVAL', 'EBUSY', 'ENOTSUP');
      return undefined;
    }
  };
  for (let i = 0; i < 3; i += 1) {
    const start = below(size);
    await attempt(() => views.push({ view: device.mapSync(start, 1 + below(4000)), start }));
  }
  const cut = below(size);
  ftruncateSync(fd, cut);
  for (let i = 0; i < 12; i += 1) {
    const [got, start] = [Buffer.alloc(1 + below(9000)), below(size)];
    const read = await attempt(() => (chance(2) ? device.readSync(got, start) : device.read(got, start)));
    const whole = Math.max(0, Math.min(cut - start, got.length));
    if (read !== undefined) check(got.subarray(0, whole).equals(content.subarray(start, start + whole)), 'wrong bytes below the cut');
    else check(isFaulty || start + got.length > cut, `nothing could be read below the cut`);
    const beyond = cut + below(size - cut);
    await attempt(() => (chance(2) ? device.write(got, beyond) : device.writeSync(got, beyond)));
    for (const { view, start: first } of views) {
      const at = below(view.bytes.length);
      if (first + at >= cut) view.bytes[at]! += view.bytes[below(view.bytes.length)]!;
    }
    if (chance(4)) await attempt(() => device.flush());
  }
  ftruncateSync(fd, size);
  writeSync(fd, content, 0, size, 0);
  for (const { view } of views) await attempt(() => view.release());
  await attempt(() => device.close());
  driver.deregister(minor);
  await using again = driver.openSync(driver.registerSync(own), { access: device.access });
  const got = Buffer.alloc(size);
  if (await attempt(() => again.readSync(got, 0))) check(got.equals(content), 'wrong bytes after all');
  closeSync(fd);
}

async function step(): Promise<void> {
  if (open.length === 0 || (open.length < 4 && chance(8))) return openOne();
  const target = pick(open);
  const isWriter = target.device.mode === 'r+';
  const action = pick([write, write, write, read, read, strategy, batch, map, map, control, resize] as const);
  trace.push(`${action.name} on ${target.device.access} ${target.device.mode}${target.raw ? ' raw' : ''}${isFaulty ? ', faults' : ''}`);
  if (!isWriter && [write, strategy, batch].includes(action)) return read(target);
  await (action === resize ? (chance(4) ? resize() : undefined) : action(target));
}

async function play(): Promise<void> {
  writeSync(descriptor, model, 0, SIZE, offset);
  for (let i = 0; i < steps; i += 1) await step();
  await settle();
  for (const target of [...open]) shut(target);
  await settle();
  check(inFile(0, SIZE).equals(model), 'the file is not what it should be');
  await unlessBusy(() => driver.close());
  closeSync(descriptor);
}

play().then(
  () => parentPort?.postMessage({ ok: true }),
  (error: unknown) => parentPort?.postMessage({ ok: false, why: String((error as Error).stack ?? error) }),
);
