// Random reads from the disk: the image is dropped from the page cache before every pass, and hardly a page is read twice. Beside
// ours are what C makes of io_uring at the same depth, fio, and node:fs.
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fioReads, lacksFio } from '../support/fio.mjs';
import { floors, pages } from '../support/native.mjs';
import { alignedBuffer, lastIsRight, ring } from '../support/context.mjs';
import { BLOCK, promiseLanes } from '../support/lanes.mjs';
import { wrongEntries } from './batch.mjs';
import { checked } from './promise.mjs';

/** Of a pass: enough for the compilers of V8 to be done with a small part of it. */
const OPS = 12_000;
/** The same where one waits for the other. */
const OPS_ALONE = 3000;
const SECTOR = 512;

/** Put back when the row is done: other rows want the image in memory. */
function refillAtTheEnd(context) {
  context.closers.push(() => pages('fill', context.file));
}

/** A contender that opens the image after it was dropped, because what is mapped cannot be. */
function coldReader(context, at, depth, begin) {
  const target = {};
  const lanes = promiseLanes(
    at,
    depth,
    (memory, position) => target.read(memory, position),
    () => alignedBuffer(BLOCK),
  );
  const { after } = checked(lanes);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  return {
    ops: depth === 1 ? OPS_ALONE : OPS,
    before: async () => {
      pages('drop', context.file);
      Object.assign(target, await begin());
      delay.reset();
      delay.enable();
    },
    run: lanes.run,
    after: async () => {
      delay.disable();
      const wrong = after();
      await target.close();
      return wrong;
    },
    extra: () => ({ delayMs: delay.percentile(99) / 1e6 }),
  };
}

async function openForPromises({ blk, file }, { engine, ...options }) {
  const driver = engine === undefined ? undefined : new blk.BlockDriver({ engine });
  const device = await blk.open(file, { lock: false, ...options, ...(driver && { driver }) });
  const close = async () => {
    await device.close();
    driver?.close();
  };
  return { read: (memory, position) => device.read(memory, position), close };
}

async function openForFs({ file }, direct) {
  const handle = await open(file, constants.O_RDONLY | (direct ? constants.O_DIRECT : 0));
  return { read: (memory, position) => handle.read(memory, 0, BLOCK, position), close: () => handle.close() };
}

/** Batches of `depth` reads as promises, one after the other. */
function coldBatch(context, at, depth, options) {
  const mask = at.length - 1;
  let device;
  let batch;
  return {
    ops: Math.ceil(OPS / depth) * depth,
    before: async () => {
      pages('drop', context.file);
      device = await context.blk.open(context.file, { lock: false, ...options });
      batch = device.createBatch({ depth, arena: depth * BLOCK });
      for (let i = 0; i < depth; i += 1) [batch.bcount[i], batch.offset[i]] = [BLOCK, i * BLOCK];
    },
    run: async (from, to) => {
      for (let i = from; i < to; i += depth) {
        for (let entry = 0; entry < depth; entry += 1) batch.blkno[entry] = at[(i + entry) & mask] / SECTOR;
        if ((await batch.run(depth)) !== depth) throw new Error('an entry failed');
      }
    },
    after: async () => {
      const wrong = wrongEntries(batch, depth);
      batch[Symbol.dispose]();
      await device.close();
      return wrong;
    },
  };
}

/** What C takes: reads at positions of its own, as random as the others. */
function coldFloor(context, test, options = {}) {
  return {
    figures: (pass) => {
      pages('drop', context.file);
      const seed = context.seed + context.round * 100 + pass;
      const told = floors(context.file, {
        tests: test,
        passes: 1,
        stamps: 1,
        cold: 1,
        pattern: 'uniform',
        ops: OPS_ALONE,
        seed,
        ...options,
      });
      return { ns: told[test][0].at(-1) };
    },
  };
}

function coldFio(context, depth, direct) {
  return {
    figures: (pass) => {
      pages('drop', context.file);
      const seed = context.seed + context.round * 100 + pass;
      return fioReads({ file: context.file, size: context.size, ops: depth === 1 ? OPS_ALONE : OPS, depth, direct, seed });
    },
  };
}

const DISK = {
  places: ['disk'],
  files: ['big'],
  native: true,
  skip: ({ fileSystem }) => (fileSystem === 'tmpfs' ? 'tmpfs has no disk' : undefined),
};

const cpu = (of, max) => ({ label: `CPU of fs.promises, ${of}`, kind: 'time', metric: 'cpu', of, to: 'fs.promises', max });
const against = (of, to, min) => ({ label: `${of}, against ${to}`, kind: 'speed', of, to, ...(min !== undefined && { min }) });
const delays = ['read', 'fs.promises'].map((of) => ({
  label: `ms that the event loop was held up, 99 of 100, ${of}`,
  kind: 'value',
  of,
  metric: 'delayMs',
}));

function row(depth, direct, targets) {
  return {
    ...DISK,
    id: `${direct ? 'direct' : 'cold'}-4k-depth-${depth}`,
    title: `promise read, 4 KiB, ${direct ? 'by O_DIRECT' : 'from the disk'} at random, depth ${depth}`,
    short: depth === 32,
    checks: [
      against('read', 'fio', targets.read),
      ...(depth > 1 ? [against('Batch', 'fio', targets.batch)] : []),
      ...(depth > 1 ? [against('read, threads', 'fio', targets.threads)] : []),
      against('read', 'C io_uring'),
      against('read', 'fs.promises'),
      cpu('read', targets.cpu),
      ...(direct ? [] : [cpu('read pio')]),
      ...delays,
    ],
    contenders: (context) => {
      refillAtTheEnd(context);
      const at = ring(context, 'uniform');
      return {
        'C io_uring': coldFloor(context, 'ring', { depth, ops: depth === 1 ? OPS_ALONE : OPS, direct: direct ? 1 : 0 }),
        ...(lacksFio() === undefined && { fio: coldFio(context, depth, direct) }),
        'fs.promises': coldReader(context, at, depth, () => openForFs(context, direct)),
        read: coldReader(context, at, depth, () => openForPromises(context, { direct })),
        ...(depth > 1 && {
          Batch: coldBatch(context, at, depth, { direct }),
          'read, threads': coldReader(context, at, depth, () => openForPromises(context, { direct, engine: 'threads' })),
        }),
        ...(!direct && { 'read pio': coldReader(context, at, depth, () => openForPromises(context, { access: 'pio' })) }),
      };
    },
  };
}

/** Sync reads: a page fault on a page that is not in memory must not read megabytes around it. */
const SYNC = {
  fs: (file) => {
    const fd = openSync(file, 'r');
    return { read: (memory, position) => readSync(fd, memory, 0, BLOCK, position), close: () => closeSync(fd) };
  },
  auto: (file, { blk }) => {
    const device = blk.openSync(file, { lock: false });
    return { read: (memory, position) => device.readSync(memory, position), close: () => device.closeSync() };
  },
};

function coldSync(context, at, begin) {
  const mask = at.length - 1;
  const memory = Buffer.alloc(BLOCK);
  let target;
  let last;
  let resident;
  return {
    ops: OPS_ALONE,
    before: () => {
      pages('drop', context.file);
      target = begin(context.file, context);
    },
    run: (from, to) => {
      for (let i = from; i < to; i += 1) target.read(memory, at[i & mask]);
      last = at[(to - 1) & mask];
    },
    after: () => {
      target.close();
      resident = pages('resident', context.file).pages;
      return lastIsRight(memory, () => last)();
    },
    extra: () => ({ pagesPerRead: resident / OPS_ALONE }),
  };
}

const sync = {
  ...DISK,
  id: 'cold-sync-4k',
  title: 'sync read, 4 KiB, from the disk at random',
  checks: [
    { label: 'time of C pread', kind: 'time', of: 'readSync', to: 'C pread', max: 1.05 },
    against('readSync', 'fs.readSync'),
    { label: 'pages read from the disk a request', kind: 'value', of: 'readSync', metric: 'pagesPerRead' },
  ],
  contenders: (context) => {
    refillAtTheEnd(context);
    const at = ring(context, 'uniform');
    return {
      'C pread': coldFloor(context, 'pread'),
      'fs.readSync': coldSync(context, at, SYNC.fs),
      readSync: coldSync(context, at, SYNC.auto),
    };
  },
};

const BUFFERED = { read: 0.95, batch: 0.9, cpu: 0.5 };
const DIRECT = { read: 0.85, batch: 0.9, cpu: 0.5 };

export default [
  row(32, false, BUFFERED),
  row(128, false, BUFFERED),
  row(1, false, {}),
  sync,
  row(32, true, DIRECT),
  row(128, true, DIRECT),
];
