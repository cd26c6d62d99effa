// Random reads from the disk: the image is dropped from the page cache before every pass, and hardly a page is read twice.
import { closeSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { pages } from '../support/native.mjs';
import { lastIsRight, ring } from '../support/context.mjs';
import { promiseLanes } from '../support/lanes.mjs';
import { checked } from './promise.mjs';

const OPS = 1500;

/** Put back when the row is done: other rows want the image in memory. */
function refillAtTheEnd(context) {
  context.closers.push(() => pages('fill', context.file));
}

/** A contender that opens the image after it was dropped, because what is mapped cannot be. */
function coldReader(context, at, depth, begin) {
  const target = {};
  const lanes = promiseLanes(at, depth, (memory, position) => target.read(memory, position));
  const { after } = checked(lanes);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  return {
    ops: OPS,
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
    extra: () => ({ delayMs: delay.max / 1e6 }),
  };
}

async function openForPromises(context, access) {
  const device = await context.blk.open(context.file, { lock: false, access });
  return { read: (memory, position) => device.read(memory, position), close: () => device.close() };
}

const DISK = {
  places: ['disk'],
  files: ['big'],
  native: true,
  skip: ({ fileSystem }) => (fileSystem === 'tmpfs' ? 'tmpfs has no disk' : undefined),
};

function row(depth, checks) {
  return {
    ...DISK,
    id: `cold-4k-depth-${depth}`,
    title: `promise read, 4 KiB, from the disk at random, depth ${depth}`,
    short: depth === 32,
    checks,
    contenders: (context) => {
      refillAtTheEnd(context);
      const at = ring(context, 'uniform');
      return {
        'fs.promises': coldReader(context, at, depth, async () => {
          const handle = await open(context.file);
          return { read: (memory, position) => handle.read(memory, 0, 4096, position), close: () => handle.close() };
        }),
        read: coldReader(context, at, depth, () => openForPromises(context, 'auto')),
        'read pio': coldReader(context, at, depth, () => openForPromises(context, 'pio')),
      };
    },
  };
}

const cpu = (of, more) => ({
  label: `CPU of fs.promises${of === 'read' ? '' : ', access pio'}`,
  kind: 'time',
  metric: 'cpu',
  of,
  to: 'fs.promises',
  ...more,
});
const speed = { label: 'against fs.promises', kind: 'speed', of: 'read', to: 'fs.promises' };
const delays = ['read', 'fs.promises'].map((of) => ({
  label: `ms that the event loop was held up, ${of}`,
  kind: 'value',
  of,
  metric: 'delayMs',
}));

/** Sync reads: a page fault on a page that is not in memory must not read megabytes around it. */
const SYNC = {
  fs: (file) => {
    const fd = openSync(file, 'r');
    return { read: (memory, position) => readSync(fd, memory, 0, 4096, position), close: () => closeSync(fd) };
  },
  auto: (file, { blk }) => {
    const device = blk.openSync(file, { lock: false });
    return { read: (memory, position) => device.readSync(memory, position), close: () => device.closeSync() };
  },
};

function coldSync(context, at, begin) {
  const mask = at.length - 1;
  const memory = Buffer.alloc(4096);
  let target;
  let last;
  let resident;
  return {
    ops: OPS,
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
    extra: () => ({ pagesPerRead: resident / OPS }),
  };
}

const sync = {
  ...DISK,
  id: 'cold-sync-4k',
  title: 'sync read, 4 KiB, from the disk at random',
  checks: [
    { label: 'against fs.readSync', kind: 'speed', of: 'readSync', to: 'fs.readSync', min: 0.87 },
    { label: 'pages read from the disk a request', kind: 'value', of: 'readSync', metric: 'pagesPerRead' },
  ],
  contenders: (context) => {
    refillAtTheEnd(context);
    const at = ring(context, 'uniform');
    return { 'fs.readSync': coldSync(context, at, SYNC.fs), readSync: coldSync(context, at, SYNC.auto) };
  },
};

export default [row(32, [cpu('read', { max: 0.6 }), speed, cpu('read pio'), ...delays]), row(1, [cpu('read'), speed]), sync];
