// Writes that are not synced: 4 KiB at random, 1 MiB into a fresh sparse file, and many in a row.
import { closeSync, fdatasyncSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { floorContenders, openDevice, openFd, ring } from '../support/context.mjs';

const BLOCK = 4096;
const MIB = 1 << 20;
const PARITY = { label: 'against fs.writeSync', kind: 'speed', of: 'writeSync', to: 'fs.writeSync' };

/** After a pass: 1 when the file does not hold what was written last. */
function stored(fd, memory, at) {
  return () => {
    const found = Buffer.alloc(memory.byteLength);
    readSync(fd, found, 0, found.byteLength, at());
    return found.equals(memory) ? 0 : 1;
  };
}

export function writePair(context, at, device, file) {
  const fd = openFd(context, { file, flags: 'r+' });
  const mask = at.length - 1;
  const [theirs, ours] = [Buffer.alloc(BLOCK, 'theirs'), Buffer.alloc(BLOCK, 'ours')];
  const last = {};
  return {
    'fs.writeSync': {
      run: (from, to) => {
        for (let i = from; i < to; i += 1) writeSync(fd, theirs, 0, BLOCK, at[i & mask]);
        last.fs = at[(to - 1) & mask];
      },
      after: stored(fd, theirs, () => last.fs),
    },
    writeSync: {
      run: (from, to) => {
        for (let i = from; i < to; i += 1) device.writeSync(ours, at[i & mask]);
        last.ours = at[(to - 1) & mask];
      },
      after: stored(fd, ours, () => last.ours),
    },
  };
}

function small(id, title, size, rest = {}) {
  return {
    id,
    title,
    places: ['disk', 'memory'],
    files: ['scratch'],
    native: true,
    checks: [{ label: 'ns more than C pwrite', kind: 'more', of: 'writeSync', to: 'C pwrite', max: 200 }, PARITY],
    ...rest,
    contenders: (context) => {
      const file = context.files.scratch;
      const device = openDevice(context, { file, mode: 'r+' });
      return {
        ...writePair(context, ring(context, 'uniform', { size: size(context) }), device, file),
        ...floorContenders(context, ['pwrite'], { file, size: size(context), pattern: 'uniform', cold: 1, ops: 20_000, stamps: 0 }),
      };
    },
  };
}

const MIBS = 64;

/** One pass: a new file without a block, written from its start to its end. What is dirty afterwards is synced untimed. */
function fresh(context, name, begin) {
  const file = path.join(context.folder, `fresh-${name}`);
  const memory = Buffer.alloc(MIB, name);
  let at;
  return {
    ops: MIBS,
    before: () => {
      const fd = openSync(file, 'w+');
      ftruncateSync(fd, MIBS * MIB);
      closeSync(fd);
      at = begin(file);
    },
    run: () => {
      for (let i = 0; i < MIBS; i += 1) at.write(memory, i * MIB);
    },
    after: () => {
      const fd = openSync(file, 'r');
      const wrong = stored(fd, memory, () => (MIBS - 1) * MIB)();
      fdatasyncSync(fd);
      closeSync(fd);
      at.close();
      rmSync(file);
      return wrong;
    },
  };
}

const sparse = {
  id: 'write-1m-sparse',
  title: 'write, 1 MiB, into a fresh sparse file',
  places: ['disk', 'memory'],
  files: [],
  checks: [PARITY],
  contenders: (context) => ({
    'fs.writeSync': fresh(context, 'theirs', (file) => {
      const fd = openSync(file, 'r+');
      return { write: (memory, position) => writeSync(fd, memory, 0, MIB, position), close: () => closeSync(fd) };
    }),
    writeSync: fresh(context, 'ours', (file) => {
      const device = context.blk.openSync(file, { mode: 'r+' });
      return { write: (memory, position) => device.writeSync(memory, position), close: () => device.closeSync() };
    }),
  }),
};

const COUNTS = [1e3, 1e4, 1e5, 1e6];

/** Nanoseconds a write after so many writes: whether the millionth costs more than the first. */
function counted(at, write) {
  const mask = at.length - 1;
  return () => {
    const figures = {};
    const start = process.hrtime.bigint();
    let i = 0;
    for (const count of COUNTS) {
      for (; i < count; i += 1) write(at[i & mask]);
      figures[`upTo${count}`] = Number(process.hrtime.bigint() - start) / count;
    }
    return figures;
  };
}

const many = {
  id: 'write-4k-many',
  title: 'write, 4 KiB, 16 MiB hot: 10^3 to 10^6 in a row',
  places: ['memory'],
  files: ['scratch'],
  short: false,
  rounds: 3,
  passes: 1,
  checks: [
    ...COUNTS.map((count) => ({ ...PARITY, label: `after ${count} writes`, metric: `upTo${count}` })),
    { label: 'ns a write, first 10^3', kind: 'value', of: 'writeSync', metric: 'upTo1000' },
    { label: 'ns a write, 10^6', kind: 'value', of: 'writeSync', metric: 'upTo1000000' },
  ],
  contenders: (context) => {
    const file = context.files.scratch;
    const device = openDevice(context, { file, mode: 'r+' });
    const fd = openFd(context, { file, flags: 'r+' });
    const at = ring(context, 'uniform', { size: 16 * MIB });
    const memory = Buffer.alloc(BLOCK, 'many');
    return {
      'fs.writeSync': { figures: counted(at, (position) => writeSync(fd, memory, 0, BLOCK, position)) },
      writeSync: { figures: counted(at, (position) => device.writeSync(memory, position)) },
    };
  },
};

export default [
  small('write-4k-hot', 'write, 4 KiB, 16 MiB hot', () => 16 * MIB),
  small('write-4k', 'write, 4 KiB, whole scratch image at random', ({ effort }) => effort.scratchSize, { short: false }),
  sparse,
  many,
];
