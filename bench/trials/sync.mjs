// Sync reads of 4 KiB: hot, over the whole image, by pattern, and into a slice of a large Buffer.
import { readSync } from 'node:fs';
import { alignedBuffer, floorContenders, lastIsRight, openDevice, openFd, readThrough, ring } from '../support/context.mjs';

const BLOCK = 4096;

/** fs.readSync and readSync along the same ring, each into memory of its own. */
export function pair(context, at, memoryOf, device, block = BLOCK) {
  const fd = openFd(context);
  const mask = at.length - 1;
  const last = { fs: undefined, ours: undefined };
  const [theirs, ours] = [memoryOf(), memoryOf()];
  return {
    'fs.readSync': {
      run: (from, to) => {
        for (let i = from; i < to; i += 1) readSync(fd, theirs, 0, block, at[i & mask]);
        last.fs = at[(to - 1) & mask];
      },
      after: lastIsRight(theirs, () => last.fs),
    },
    readSync: {
      run: (from, to) => {
        for (let i = from; i < to; i += 1) device.readSync(ours, at[i & mask]);
        last.ours = at[(to - 1) & mask];
      },
      after: lastIsRight(ours, () => last.ours),
    },
  };
}

function warmDevice(context) {
  const device = openDevice(context);
  readThrough(device, context.size);
  return device;
}

function row(id, title, pattern, { file = 'big', more = [], memoryOf = () => Buffer.alloc(BLOCK), floor, ...rest }) {
  return {
    id,
    title,
    places: ['disk', 'memory'],
    files: [file],
    native: floor !== undefined,
    ...rest,
    checks: [{ label: 'against fs.readSync', kind: 'speed', of: 'readSync', to: 'fs.readSync' }, ...more],
    contenders: (context) => ({
      ...pair(context, ring(context, pattern), memoryOf, warmDevice(context)),
      ...(floor && floorContenders(context, floor, { pattern, ops: context.short ? 20_000 : 50_000 })),
    }),
  };
}

const AGAINST_MEMCPY = { label: 'time of C memcpy from a map', kind: 'time', of: 'readSync', to: 'C memcpy' };

/** A page-multiple slice of a large Buffer: the slow alignment of the processors that have one. */
const sliceOfLarge = () => Buffer.alloc(1 << 20).subarray(1 << 16, (1 << 16) + BLOCK);

export default [
  // What a call costs beyond its copy has a target in the rows `overhead`.
  row('sync-4k-hot', 'sync read, 4 KiB, 16 MiB hot', 'uniform', { file: 'hot', floor: ['memcpy'], more: [AGAINST_MEMCPY] }),
  row('sync-4k', 'sync read, 4 KiB, whole image at random', 'uniform', {
    floor: ['memcpy', 'copy', 'pread'],
    more: [
      { ...AGAINST_MEMCPY, max: 1.35 },
      { label: 'time of C pread', kind: 'time', of: 'readSync', to: 'C pread' },
    ],
  }),
  row('sync-4k-zipf', 'sync read, 4 KiB, zipf', 'zipf', { short: false }),
  row('sync-4k-sequential', 'sync read, 4 KiB, in order', 'sequential', { short: false }),
  row('sync-4k-slice', 'sync read, 4 KiB, into a slice of a large Buffer, hot', 'uniform', {
    file: 'hot',
    memoryOf: sliceOfLarge,
  }),
  row('sync-4k-aligned', 'sync read, 4 KiB, into a page-aligned Buffer, hot', 'uniform', {
    file: 'hot',
    memoryOf: () => alignedBuffer(BLOCK),
    short: false,
  }),
];
