// qcow2 images: first writes into a new one, alone and each with a flush, against a raw file.
import { closeSync, ftruncateSync, openSync, rmSync } from 'node:fs';
import path from 'node:path';
import { openDevice, ring } from '../support/context.mjs';

const BLOCK = 4096;
const SIZE = 4 * 2 ** 30;
const FIRST_WRITES = 8192;
const FLUSHED = 200;

const skip = ({ blk }) => (blk.createQcow2Sync === undefined ? 'this build has no createQcow2' : undefined);

function rawFile(file) {
  const fd = openSync(file, 'w');
  ftruncateSync(fd, SIZE);
  closeSync(fd);
}

/** Writes along the ring to an image that is new in each pass. */
function writes(context, name, { make, format, ops, flush }) {
  const file = path.join(context.folder, name);
  const at = ring(context, 'uniform', { size: SIZE, block: BLOCK });
  const memory = Buffer.alloc(BLOCK, 'first');
  const now = {};
  const end = () => {
    now.device?.closeSync();
    rmSync(file, { force: true });
  };
  context.closers.push(end);
  return {
    ops,
    before: () => {
      end();
      make(file);
      now.device = context.blk.openSync(file, { mode: 'r+', access: 'pio', lock: false, ...(format && { format }) });
    },
    run: (from, to) => {
      for (let i = from; i < to; i += 1) {
        now.position = at[i & (at.length - 1)];
        now.device.writeSync(memory, now.position);
        if (flush) now.device.flushSync();
      }
    },
    after: () => {
      const found = Buffer.alloc(BLOCK);
      now.device.readSync(found, now.position);
      return found.equals(memory) ? 0 : 1;
    },
  };
}

function contendersOf(context, work) {
  const create = (file) => context.blk.createQcow2Sync(file, { size: SIZE });
  return {
    raw: writes(context, 'raw', { ...work, make: rawFile }),
    qcow2: writes(context, 'qcow2', { ...work, make: create, format: 'qcow2' }),
  };
}

function reads(context, name, make, format) {
  const file = path.join(context.folder, name);
  make(file);
  context.closers.push(() => rmSync(file, { force: true }));
  const device = openDevice(context, { file, mode: 'r+', access: 'pio', ...(format && { format }) });
  const at = ring(context, 'uniform', { size: SIZE, block: BLOCK });
  const memory = Buffer.alloc(BLOCK, 'read');
  for (let i = 0; i < FIRST_WRITES; i += 1) device.writeSync(memory, at[i]);
  return {
    run: (from, to) => {
      for (let i = from; i < to; i += 1) device.readSync(memory, at[i % FIRST_WRITES]);
    },
    after: () => (memory.toString('latin1', 0, 4) === 'read' ? 0 : 1),
  };
}

const BASE = { places: ['disk'], files: [], skip, short: false, rounds: 3 };

export default [
  {
    ...BASE,
    id: 'qcow2-first-write',
    title: 'qcow2 with extended L2, first write of 4 KiB at random, sync, against a sparse raw file',
    passes: 2,
    checks: [
      { label: 'ns of one', kind: 'value', of: 'qcow2', max: 8000 },
      { label: 'time of raw', kind: 'time', of: 'qcow2', to: 'raw' },
    ],
    contenders: (context) => contendersOf(context, { ops: FIRST_WRITES }),
  },
  {
    ...BASE,
    id: 'qcow2-first-write-flush',
    title: 'the same, each with a flush',
    passes: 2,
    checks: [{ label: 'time of raw', kind: 'time', of: 'qcow2', to: 'raw', max: 2.3 }],
    contenders: (context) => contendersOf(context, { ops: FLUSHED, flush: true }),
  },
  {
    ...BASE,
    id: 'qcow2-read',
    title: 'qcow2, sync read of 4 KiB that was written, at random',
    checks: [{ label: 'time of raw', kind: 'time', of: 'qcow2', to: 'raw' }],
    contenders: (context) => ({
      raw: reads(context, 'raw', rawFile),
      qcow2: reads(context, 'qcow2', (file) => context.blk.createQcow2Sync(file, { size: SIZE }), 'qcow2'),
    }),
  },
];
