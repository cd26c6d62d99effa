// Batch: 32 reads of 4 KiB per crossing, sync and as one promise.
import { isRight } from '../support/images.mjs';
import { floorContenders, openDevice, readThrough, ring } from '../support/context.mjs';
import { BLOCK } from '../support/lanes.mjs';
import { peers } from './promise.mjs';
import { pair } from './sync.mjs';

export const DEPTH = 32;
const SECTORS = 512;

export const noBatch = ({ blk }) =>
  blk.BlockDevice.prototype.createBatch === undefined ? 'this build has no device.createBatch' : undefined;

/** A batch of reads, entry i into page i of the arena. */
export function readBatch(context, device) {
  const batch = device.createBatch({ depth: DEPTH });
  context.closers.push(() => batch[Symbol.dispose]());
  for (let i = 0; i < DEPTH; i += 1) {
    batch.bcount[i] = BLOCK;
    batch.offset[i] = i * BLOCK;
  }
  return batch;
}

/** Fills the entries of one batch from the ring. */
function fill(batch, at, first) {
  const mask = at.length - 1;
  for (let i = 0; i < DEPTH; i += 1) batch.blkno[i] = at[(first + i) & mask] / SECTORS;
}

export function wrongEntries(batch, depth = DEPTH) {
  let wrong = 0;
  for (let i = 0; i < depth; i += 1) {
    const right = batch.error[i] === 0 && batch.resid[i] === 0;
    if (!right || !isRight(batch.arena.subarray(i * BLOCK, (i + 1) * BLOCK), batch.blkno[i] * SECTORS)) wrong += 1;
  }
  return wrong;
}

export function batchSync(context, device, at) {
  const batch = readBatch(context, device);
  return {
    group: DEPTH,
    run: (from, to) => {
      for (let i = from; i < to; i += DEPTH) {
        fill(batch, at, i);
        if (batch.runSync(DEPTH) !== DEPTH) throw new Error('an entry failed');
      }
    },
    after: () => wrongEntries(batch),
  };
}

export function batchPromise(context, device, at) {
  const batch = readBatch(context, device);
  return {
    group: DEPTH,
    run: async (from, to) => {
      for (let i = from; i < to; i += DEPTH) {
        fill(batch, at, i);
        if ((await batch.run(DEPTH)) !== DEPTH) throw new Error('an entry failed');
      }
    },
    after: () => wrongEntries(batch),
  };
}

function warm(context) {
  const device = openDevice(context);
  readThrough(device, context.size);
  return device;
}

const memcpyFloor = (context) => floorContenders(context, ['memcpy'], { pattern: 'uniform', ops: context.short ? 20_000 : 50_000 });

const sync = {
  id: 'batch-32',
  title: 'Batch of 32 reads of 4 KiB, whole image at random, per request',
  places: ['disk', 'memory'],
  files: ['big'],
  native: true,
  skip: noBatch,
  checks: [
    { label: 'against fs.readSync', kind: 'speed', of: 'runSync', to: 'fs.readSync' },
    { label: 'against single calls', kind: 'speed', of: 'runSync', to: 'readSync' },
    { label: 'time of C memcpy from a map', kind: 'time', of: 'runSync', to: 'C memcpy', max: 1.35 },
  ],
  contenders: (context) => {
    const device = warm(context);
    const at = ring(context, 'uniform');
    return {
      ...pair(context, at, () => Buffer.alloc(BLOCK), device),
      runSync: batchSync(context, device, at),
      ...memcpyFloor(context),
    };
  },
};

const hot = {
  ...sync,
  id: 'batch-32-hot',
  title: 'Batch of 32 reads of 4 KiB, 16 MiB hot, per request',
  files: ['hot'],
  native: false,
  short: false,
  checks: sync.checks.slice(0, 2),
  contenders: (context) => {
    const device = warm(context);
    const at = ring(context, 'uniform');
    return { ...pair(context, at, () => Buffer.alloc(BLOCK), device), runSync: batchSync(context, device, at) };
  },
};

const promise = {
  id: 'batch-32-promise',
  title: 'Batch of 32 reads of 4 KiB as one promise, per request',
  places: ['disk', 'memory'],
  files: ['big'],
  native: true,
  skip: noBatch,
  checks: [
    { label: 'time of C memcpy from a map', kind: 'time', of: 'run', to: 'C memcpy', max: 1.5 },
    { label: 'against fs.promises', kind: 'speed', of: 'run', to: 'fs.promises' },
    { label: 'against fs.read callbacks', kind: 'speed', of: 'run', to: 'fs.read callback' },
    { label: 'CPU of fs.promises', kind: 'time', metric: 'cpu', of: 'run', to: 'fs.promises' },
  ],
  contenders: async (context) => {
    const device = warm(context);
    const at = ring(context, 'uniform');
    return { ...(await peers(context, at, DEPTH)), run: batchPromise(context, device, at), ...memcpyFloor(context) };
  },
};

export default [sync, hot, promise];
