// Disks without a file: the null medium, which shows what our layer costs by itself, and a disk in memory.
import { expectedAt, isRight } from '../support/images.mjs';
import { bareCall } from '../support/native.mjs';
import { openDevice, ring } from '../support/context.mjs';
import { promiseLanes } from '../support/lanes.mjs';

const SECTOR = 512;
const PAGE = 4096;
const DEPTH = 32;
const HOT = 16 << 20;
/** As large as the image of other rows. */
const NULL_SIZE = 1 << 30;
const PIECE = 1 << 20;

/** Of no file system. */
const BASE = { places: ['none'], files: [] };

function mediaOf({ load }) {
  try {
    return load('rumpblk/media');
  } catch {
    return undefined; // a build from before there were any
  }
}

const skip = (context) => (mediaOf(context) === undefined ? 'this build has no rumpblk/media' : undefined);

function openNull(context) {
  return openDevice(context, { file: mediaOf(context).nullMedium({ size: NULL_SIZE }), mode: 'r+' });
}

/** A disk in memory with the content of an image. */
function openMemory(context) {
  const device = openDevice(context, { file: mediaOf(context).memory({ size: HOT }), mode: 'r+' });
  for (let at = 0; at < HOT; at += PIECE) device.writeSync(expectedAt(at, PIECE), at);
  return device;
}

const isZero = (memory) => (memory.every((byte) => byte === 0) ? 0 : 1);

function syncReads(device, at, memory, after) {
  const mask = at.length - 1;
  const last = {};
  return {
    run: (from, to) => {
      for (let i = from; i < to; i += 1) device.readSync(memory, at[i & mask]);
      last.position = at[(to - 1) & mask];
    },
    after: () => after(memory, last.position),
  };
}

function syncWrites(device, at, memory) {
  const mask = at.length - 1;
  const last = {};
  return {
    last,
    run: (from, to) => {
      for (let i = from; i < to; i += 1) device.writeSync(memory, at[i & mask]);
      last.position = at[(to - 1) & mask];
    },
  };
}

function batchOf(context, device, { op, block, at }) {
  const batch = device.createBatch({ depth: DEPTH });
  context.closers.push(() => batch[Symbol.dispose]());
  const mask = at.length - 1;
  for (let i = 0; i < DEPTH; i += 1) [batch.op[i], batch.bcount[i], batch.offset[i]] = [op, block, i * block];
  const fill = (first) => {
    for (let i = 0; i < DEPTH; i += 1) batch.blkno[i] = at[(first + i) & mask] / SECTOR;
  };
  return { batch, fill };
}

function batchSync(context, device, work) {
  const { batch, fill } = batchOf(context, device, work);
  return {
    group: DEPTH,
    run: (from, to) => {
      for (let i = from; i < to; i += DEPTH) {
        fill(i);
        if (batch.runSync(DEPTH) !== DEPTH) throw new Error('an entry failed');
      }
    },
  };
}

function batchPromise(context, device, work) {
  const { batch, fill } = batchOf(context, device, work);
  return {
    group: DEPTH,
    run: async (from, to) => {
      for (let i = from; i < to; i += DEPTH) {
        fill(i);
        if ((await batch.run(DEPTH)) !== DEPTH) throw new Error('an entry failed');
      }
    },
  };
}

const value = (of, max) => ({ label: `ns of ${of}`, kind: 'value', of, ...(max !== undefined && { max }) });
const sectors = (context) => ring(context, 'uniform', { size: NULL_SIZE, block: SECTOR });
const READ = 0;
const WRITE = 1;

const nullSync = {
  ...BASE,
  id: 'medium-null-sync',
  title: 'null medium, one sector, sync: our layer by itself',
  native: true,
  skip,
  checks: [value('readSync', 60), value('writeSync', 60), { ...value('empty call'), label: 'ns of an empty call' }],
  contenders: (context) => {
    const device = openNull(context);
    const at = sectors(context);
    const { nothing } = bareCall();
    return {
      'empty call': {
        run: (from, to) => {
          for (let i = from; i < to; i += 1) nothing();
        },
      },
      readSync: syncReads(device, at, Buffer.alloc(SECTOR, 1), isZero),
      writeSync: syncWrites(device, at, Buffer.alloc(SECTOR, 1)),
    };
  },
};

const nullBatch = {
  ...BASE,
  id: 'medium-null-batch',
  title: 'null medium, Batch of 32 sectors, per entry: our layer by itself',
  skip,
  checks: [value('runSync, reads', 25), value('runSync, writes', 25), value('run, reads')],
  contenders: (context) => {
    const device = openNull(context);
    const at = sectors(context);
    return {
      'runSync, reads': batchSync(context, device, { op: READ, block: SECTOR, at }),
      'runSync, writes': batchSync(context, device, { op: WRITE, block: SECTOR, at }),
      'run, reads': batchPromise(context, device, { op: READ, block: SECTOR, at }),
    };
  },
};

function nullPromise(depth) {
  return {
    ...BASE,
    id: `medium-null-promise-depth-${depth}`,
    title: `null medium, one sector, promises, depth ${depth}: our layer by itself`,
    skip,
    checks: [value('read', 450), value('write')],
    contenders: (context) => {
      const device = openNull(context);
      const at = sectors(context);
      const memory = () => Buffer.alloc(SECTOR, 1);
      const reads = promiseLanes(at, depth, (data, position) => device.read(data, position), memory);
      const writes = promiseLanes(at, depth, (data, position) => device.write(data, position), memory);
      return { read: { ...reads, after: () => reads.memory.reduce((wrong, data) => wrong + isZero(data), 0) }, write: writes };
    },
  };
}

/** Each alone, so that the 16 MiB have the caches for themselves. */
const memoryRead = {
  ...BASE,
  id: 'medium-memory-read',
  title: 'disk in memory, 4 KiB, 16 MiB hot, sync read',
  skip,
  checks: [value('readSync', 220)],
  contenders: (context) => {
    const device = openMemory(context);
    const at = ring(context, 'uniform', { size: HOT });
    const isWrong = (data, position) => (isRight(data, position) ? 0 : 1);
    return { readSync: syncReads(device, at, Buffer.alloc(PAGE), isWrong) };
  },
};

const memoryWrite = {
  ...BASE,
  id: 'medium-memory-write',
  title: 'disk in memory, 4 KiB, 16 MiB hot, sync write',
  skip,
  checks: [value('writeSync', 200)],
  contenders: (context) => {
    const device = openMemory(context);
    const at = ring(context, 'uniform', { size: HOT });
    const [written, found] = [Buffer.alloc(PAGE, 'written'), Buffer.alloc(PAGE)];
    const writes = syncWrites(device, at, written);
    const after = () => (device.readSync(found, writes.last.position), found.equals(written) ? 0 : 1);
    return { writeSync: { ...writes, after } };
  },
};

const memoryOthers = {
  ...BASE,
  id: 'medium-memory-other',
  title: 'disk in memory, 4 KiB, 16 MiB hot, batches of 32 and promises, per request',
  skip,
  short: false,
  checks: [value('runSync'), value('run'), value('read, depth 32'), value('write, depth 32')],
  contenders: (context) => {
    const device = openMemory(context);
    const beside = openDevice(context, { file: mediaOf(context).memory({ size: HOT }), mode: 'r+' });
    const at = ring(context, 'uniform', { size: HOT });
    const reads = promiseLanes(at, DEPTH, (memory, position) => device.read(memory, position));
    const isWrong = (memory, lane) => reads.last[lane] !== undefined && !isRight(memory, reads.last[lane]);
    return {
      runSync: batchSync(context, device, { op: READ, block: PAGE, at }),
      run: batchPromise(context, device, { op: READ, block: PAGE, at }),
      'read, depth 32': { ...reads, after: () => reads.memory.filter(isWrong).length },
      'write, depth 32': promiseLanes(at, DEPTH, (memory, position) => beside.write(memory, position)),
    };
  },
};

export default [nullSync, nullBatch, nullPromise(1), nullPromise(DEPTH), memoryRead, memoryWrite, memoryOthers];
