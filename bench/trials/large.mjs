// Reads of 64 KiB and 1 MiB in order, into ordinary large Buffers and into page-aligned ones.
// An ordinary Buffer of 128 KiB and more begins 16 bytes into a page, where some processors copy 3 to 14 times slower.
import { machine } from '../support/machine.mjs';
import { alignedBuffer, openDevice, readThrough, ring } from '../support/context.mjs';
import { pair } from './sync.mjs';

const KIB = 1024;

/** Where the processor has no slow alignments, an ordinary Buffer is as good as an aligned one. */
const SLOW = machine().slowAlignments;

/** Large Buffers are what Node's allocator gives from 128 KiB on; the 64 KiB read goes into the first part of one. */
const ordinary = (block) => Buffer.alloc(Math.max(block, 1024 * KIB)).subarray(0, block);

function row(block, name, memoryOf, min, places = ['disk', 'memory']) {
  const size = block === 64 * KIB ? '64k' : '1m';
  return {
    id: `large-${size}-${name}`,
    title: `sync read, ${block / KIB} KiB, into ${name === 'aligned' ? 'a page-aligned' : 'an ordinary large'} Buffer`,
    places,
    files: ['big'],
    checks: [{ label: 'against fs.readSync', kind: 'speed', of: 'readSync', to: 'fs.readSync', min }],
    contenders: (context) => {
      const device = openDevice(context);
      readThrough(device, context.size);
      return pair(context, ring(context, 'sequential', { block, count: 1 << 12 }), () => memoryOf(block), device, block);
    },
  };
}

export default [
  row(64 * KIB, 'ordinary', ordinary, SLOW ? 5 : 1.6),
  row(1024 * KIB, 'ordinary', ordinary, SLOW ? 5 : 1.3),
  row(64 * KIB, 'aligned', alignedBuffer, 1.6),
  row(1024 * KIB, 'aligned', alignedBuffer, 1.3),
];
