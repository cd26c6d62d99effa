// Images of 16 MiB to 1 TiB, sparse: whether a request or an open costs more on a larger one.
import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { openDevice, openFd, ring } from '../support/context.mjs';

const BLOCK = 4096;
const GIB = 2 ** 30;
const SIZES = { '16m': GIB / 64, '1g': GIB, '16g': 16 * GIB, '64g': 64 * GIB, '256g': 256 * GIB, '1t': 1024 * GIB };

/** So many different positions of the image, all touched before the clock starts. */
const SPOTS = 4096;

function sparseFile(context, size) {
  const file = path.join(context.folder, 'sparse');
  const fd = openSync(file, 'w+');
  ftruncateSync(fd, size);
  closeSync(fd);
  context.closers.push(() => rmSync(file));
  return file;
}

function loops(at, memory, { fd, device }) {
  const mask = at.length - 1;
  const loop = (request) => ({
    run: (from, to) => {
      for (let i = from; i < to; i += 1) request(at[i & mask]);
    },
  });
  return {
    'fs.readSync': loop((position) => readSync(fd, memory, 0, BLOCK, position)),
    readSync: loop((position) => device.readSync(memory, position)),
    'fs.writeSync': loop((position) => writeSync(fd, memory, 0, BLOCK, position)),
    writeSync: loop((position) => device.writeSync(memory, position)),
  };
}

export default Object.entries(SIZES).map(([name, size]) => ({
  id: `image-${name}`,
  title: `4 KiB at random on a sparse image of ${name.toUpperCase()}iB`,
  places: ['disk'],
  files: [],
  short: false,
  rounds: 3,
  checks: [
    { label: 'read, against fs.readSync', kind: 'speed', of: 'readSync', to: 'fs.readSync' },
    { label: 'write, against fs.writeSync', kind: 'speed', of: 'writeSync', to: 'fs.writeSync' },
    { label: 'µs to open and close', kind: 'value', of: 'open', metric: 'us' },
  ],
  contenders: (context) => {
    const file = sparseFile(context, size);
    const fd = openFd(context, { file, flags: 'r+' });
    const device = openDevice(context, { file, mode: 'r+' });
    const at = ring(context, 'uniform', { size, count: SPOTS });
    const memory = Buffer.alloc(BLOCK, 'image');
    for (const position of at) writeSync(fd, memory, 0, BLOCK, position);
    const open = () => {
      const start = process.hrtime.bigint();
      for (let i = 0; i < 10; i += 1) context.blk.openSync(file, { lock: false }).closeSync();
      return { us: Number(process.hrtime.bigint() - start) / 1e4 };
    };
    return { ...loops(at, memory, { fd, device }), open: { figures: open } };
  },
}));
