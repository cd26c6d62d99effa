// The seed's own geometry, 16 windows of 1 MiB, under access 'auto' over the whole image: where the seed remapped.
import { floorContenders, openDevice, ring } from '../support/context.mjs';
import { pair } from './sync.mjs';

const SEED = { windowSize: 1 << 20, windowCount: 16 };
const OPS = { pattern: 'uniform', ops: 4000 };

export default [
  {
    id: 'seed-geometry',
    title: 'sync read, 4 KiB, 16 windows of 1 MiB over the image, at random',
    places: ['disk', 'memory'],
    files: ['big'],
    native: true,
    checks: [
      // Windows that cover a hundredth of the image are seldom hit: pread is the least that such a read can cost.
      { label: 'time of C pread, core in C', kind: 'time', of: 'C core-seed', to: 'C pread', max: 1.2 },
      { label: 'against fs.readSync', kind: 'speed', of: 'readSync', to: 'fs.readSync' },
      { label: 'core in C against seed-style remapping in C', kind: 'speed', of: 'C core-seed', to: 'C remap' },
      { label: 'readSync against seed-style remapping in C', kind: 'speed', of: 'readSync', to: 'C remap' },
      { label: "against access 'mmap', which remaps", kind: 'speed', of: 'readSync', to: 'mmap readSync' },
    ],
    contenders: (context) => {
      const device = openDevice(context, { driver: SEED });
      const remapping = openDevice(context, { driver: SEED, access: 'mmap' });
      const at = ring(context, 'uniform');
      const memoryOf = () => Buffer.alloc(4096);
      return {
        ...pair(context, at, memoryOf, device),
        'mmap readSync': pair(context, at, memoryOf, remapping).readSync,
        ...floorContenders(context, ['core-seed', 'remap', 'pread'], OPS),
      };
    },
  },
];
