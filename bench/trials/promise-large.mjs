// Promise reads of 512 KiB to 16 MiB, four at once, of a file that is in memory: with windows, and by pread alone. Beside
// them what C takes when two threads read straight into the caller's memory.
import { floorContenders, openDevice, openFileHandle, readThrough, ring } from '../support/context.mjs';
import { promiseLanes } from '../support/lanes.mjs';
import { checked } from './promise.mjs';

const KIB = 1024;
const SIZES = { '512k': 512 * KIB, '1m': 1024 * KIB, '2m': 2048 * KIB, '4m': 4096 * KIB, '8m': 8192 * KIB, '16m': 16384 * KIB };
const DEPTH = 4;

const nameOf = (block) => (block < 1024 * KIB ? `${block / KIB} KiB` : `${block / KIB / 1024} MiB`);

export default Object.entries(SIZES).map(([id, block]) => ({
  id: `promise-${id}`,
  title: `promise read, ${nameOf(block)}, in memory at random, depth ${DEPTH}`,
  places: ['disk'],
  files: ['hot'],
  native: true,
  checks: [
    { label: 'time of fs.promises', kind: 'time', of: 'read', to: 'fs.promises', max: 1.2 },
    { label: 'time of C pread on two threads', kind: 'time', of: 'read', to: 'C pread@2' },
    { label: 'time of fs.promises, access pio', kind: 'time', of: 'read pio', to: 'fs.promises', max: 1.2 },
  ],
  contenders: async (context) => {
    const at = ring(context, 'uniform', { block, count: 1 << 10 });
    const handle = await openFileHandle(context);
    const device = openDevice(context);
    readThrough(device, context.size);
    const pio = openDevice(context, { access: 'pio' });
    const lanes = (read) => checked(promiseLanes(at, DEPTH, read, () => Buffer.alloc(block)));
    return {
      'fs.promises': lanes((memory, position) => handle.read(memory, 0, block, position)),
      read: lanes((memory, position) => device.read(memory, position)),
      'read pio': lanes((memory, position) => pio.read(memory, position)),
      ...floorContenders(context, ['pread@2'], { pattern: 'uniform', block, ops: Math.max(16, (256 * 1024 * KIB) / block) }),
    };
  },
}));
