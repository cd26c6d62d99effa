// Reads of 64 KiB and 1 MiB in order, into ordinary large Buffers and into page-aligned ones.
// An ordinary Buffer of 128 KiB and more begins 16 bytes into a page, where some processors copy 3 to 14 times slower.
import { alignedBuffer, floorContenders, openDevice, readThrough, ring } from '../support/context.mjs';
import { pair } from './sync.mjs';

const KIB = 1024;

/** Large Buffers are what Node's allocator gives from 128 KiB on; the 64 KiB read goes into the first part of one. */
const ordinary = (block) => Buffer.alloc(Math.max(block, 1024 * KIB)).subarray(0, block);

function row(block, name, memoryOf) {
  const size = block === 64 * KIB ? '64k' : '1m';
  return {
    id: `large-${size}-${name}`,
    title: `sync read, ${block / KIB} KiB, into ${name === 'aligned' ? 'a page-aligned' : 'an ordinary large'} Buffer`,
    places: ['disk', 'memory'],
    files: ['big'],
    native: true,
    checks: [
      { label: 'time of C memcpy from a map', kind: 'time', of: 'readSync', to: 'C memcpy', max: 1.1 },
      { label: 'time of C pread', kind: 'time', of: 'readSync', to: 'C pread' },
      { label: 'against fs.readSync', kind: 'speed', of: 'readSync', to: 'fs.readSync' },
    ],
    contenders: (context) => {
      const device = openDevice(context);
      readThrough(device, context.size);
      const at = ring(context, 'sequential', { block, count: 1 << 12 });
      return {
        ...pair(context, at, () => memoryOf(block), device, block),
        ...floorContenders(context, ['memcpy', 'pread'], { pattern: 'sequential', block, ops: context.size / block }),
      };
    },
  };
}

export default [
  row(64 * KIB, 'ordinary', ordinary),
  row(1024 * KIB, 'ordinary', ordinary),
  row(64 * KIB, 'aligned', alignedBuffer),
  row(1024 * KIB, 'aligned', alignedBuffer),
];
