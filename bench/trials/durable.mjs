// Durable writes of 4 KiB: one at a time, 32 with one sync, a journal with a flush in the middle, and a flush that has nothing to do.
import { fdatasyncSync, writeSync } from 'node:fs';
import { floorContenders, openDevice, openFd, ring } from '../support/context.mjs';
import { DEPTH, noBatch, readBatch } from './batch.mjs';

const BLOCK = 4096;
const OPS = 64;
const DURABLE = { fua: true };
// In Batch.op.
const BATCH_WRITE = 1;
const BATCH_FLUSH = 2;

function setUp(context) {
  const file = context.files.scratch;
  return {
    fd: openFd(context, { file, flags: 'r+' }),
    device: openDevice(context, { file, mode: 'r+' }),
    at: ring(context, 'uniform', { size: context.effort.scratchSize }),
    memory: Buffer.alloc(BLOCK, 'durable'),
  };
}

const noSync = ({ fileSystem }) => (fileSystem === 'tmpfs' ? 'nothing is durable on tmpfs' : undefined);

const single = {
  id: 'durable-4k',
  title: 'durable write, 4 KiB',
  places: ['disk'],
  files: ['scratch'],
  native: true,
  skip: noSync,
  checks: [
    { label: 'time of C pwritev2(RWF_DSYNC)', kind: 'time', of: 'writeSync fua', to: 'C dsync', max: 1.1 },
    { label: 'against fs.writeSync + fdatasyncSync', kind: 'speed', of: 'writeSync fua', to: 'fs.writeSync+sync' },
  ],
  contenders: (context) => {
    const { fd, device, at, memory } = setUp(context);
    return {
      'fs.writeSync+sync': {
        ops: OPS,
        run: (from, to) => {
          for (let i = from; i < to; i += 1) {
            writeSync(fd, memory, 0, BLOCK, at[i]);
            fdatasyncSync(fd);
          }
        },
      },
      'writeSync fua': {
        ops: OPS,
        run: (from, to) => {
          for (let i = from; i < to; i += 1) device.writeSync(memory, at[i], DURABLE);
        },
      },
      ...floorContenders(context, ['dsync'], { file: context.files.scratch, pattern: 'uniform', cold: 1, ops: OPS, stamps: 0 }),
    };
  },
};

/** A batch of durable writes at random positions, or at neighbouring ones. */
function durableBatch(context, device, at, neighbours) {
  const batch = readBatch(context, device);
  batch.op.fill(1);
  batch.fua.fill(1);
  batch.arena.fill(0x62);
  return {
    ops: DEPTH * 4,
    run: (from, to) => {
      for (let i = from; i < to; i += DEPTH) {
        for (let entry = 0; entry < DEPTH; entry += 1) {
          const position = neighbours ? (at[i] % (1 << 25)) + entry * BLOCK : at[i + entry];
          batch.blkno[entry] = position / 512;
        }
        if (batch.runSync(DEPTH) !== DEPTH) throw new Error('an entry failed');
      }
    },
  };
}

const batch = {
  id: 'durable-batch-32',
  title: 'Batch of 32 durable writes of 4 KiB, per write',
  places: ['disk'],
  files: ['scratch'],
  skip: (context) => noSync(context) ?? noBatch(context),
  checks: [
    { label: 'against single durable writes', kind: 'speed', of: 'runSync', to: 'writeSync fua', min: 3.5 },
    { label: 'against 32 × fs.writeSync + one fdatasyncSync', kind: 'speed', of: 'runSync', to: 'fs 32+sync' },
    { label: 'neighbours, against single durable writes', kind: 'speed', of: 'runSync neighbours', to: 'writeSync fua' },
  ],
  contenders: (context) => {
    const { fd, device, at, memory } = setUp(context);
    return {
      'fs 32+sync': {
        ops: DEPTH * 4,
        run: (from, to) => {
          for (let i = from; i < to; i += DEPTH) {
            for (let entry = 0; entry < DEPTH; entry += 1) writeSync(fd, memory, 0, BLOCK, at[i + entry]);
            fdatasyncSync(fd);
          }
        },
      },
      'writeSync fua': single.contenders(context)['writeSync fua'],
      runSync: durableBatch(context, device, at, false),
      'runSync neighbours': durableBatch(context, device, at, true),
    };
  },
};

/** A batch of a record, a flush and a commit that is durable when it is over: two syncs. */
function journalBatch(context, device, at) {
  const batch = readBatch(context, device);
  batch.op.set([BATCH_WRITE, BATCH_FLUSH, BATCH_WRITE]);
  batch.fua[2] = 1;
  batch.arena.fill(0x6a);
  return {
    ops: OPS,
    run: (from, to) => {
      for (let i = from; i < to; i += 1) {
        batch.blkno[0] = at[i] / 512;
        if (batch.runSync(3) !== 3) throw new Error('an entry failed');
      }
    },
  };
}

const journal = {
  id: 'durable-journal',
  title: 'record of 4 KiB, flush, durable commit of 4 KiB',
  places: ['disk'],
  files: ['scratch'],
  short: false,
  skip: (context) => noSync(context) ?? noBatch(context),
  checks: [
    { label: 'one Batch, against fs.writeSync + fdatasyncSync, twice', kind: 'speed', of: 'runSync', to: 'fs', min: 0.9 },
    { label: 'one Batch, against writeSync, flushSync, writeSync fua', kind: 'speed', of: 'runSync', to: 'single calls' },
  ],
  contenders: (context) => {
    const { fd, device, at, memory } = setUp(context);
    return {
      fs: {
        ops: OPS,
        run: (from, to) => {
          for (let i = from; i < to; i += 1) {
            writeSync(fd, memory, 0, BLOCK, at[i]);
            fdatasyncSync(fd);
            writeSync(fd, memory, 0, BLOCK, 0);
            fdatasyncSync(fd);
          }
        },
      },
      'single calls': {
        ops: OPS,
        run: (from, to) => {
          for (let i = from; i < to; i += 1) {
            device.writeSync(memory, at[i]);
            device.flushSync();
            device.writeSync(memory, 0, DURABLE);
          }
        },
      },
      runSync: journalBatch(context, device, at),
    };
  },
};

const empty = {
  id: 'flush-clean',
  title: 'flush with nothing to flush',
  places: ['disk'],
  files: ['scratch'],
  short: false,
  skip: noSync,
  checks: [{ label: 'against fs.fdatasyncSync', kind: 'speed', of: 'flushSync', to: 'fs.fdatasyncSync' }],
  contenders: (context) => {
    const { fd, device } = setUp(context);
    fdatasyncSync(fd);
    return {
      'fs.fdatasyncSync': {
        ops: OPS,
        run: (from, to) => {
          for (let i = from; i < to; i += 1) fdatasyncSync(fd);
        },
      },
      flushSync: {
        run: (from, to) => {
          for (let i = from; i < to; i += 1) device.flushSync();
        },
      },
    };
  },
};

export default [single, batch, journal, empty];
