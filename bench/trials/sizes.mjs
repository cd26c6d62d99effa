// Sync reads of 512 bytes to 4 MiB at random, into page-aligned memory.
import { alignedBuffer, openDevice, readThrough, ring } from '../support/context.mjs';
import { pair } from './sync.mjs';

const SIZES = { 512: '512 B', 4096: '4 KiB', 16384: '16 KiB', 65536: '64 KiB', 262144: '256 KiB', 1048576: '1 MiB', 4194304: '4 MiB' };

export default Object.entries(SIZES).map(([bytes, name]) => {
  const block = Number(bytes);
  return {
    id: `size-${name.replace(' ', '').toLowerCase()}`,
    title: `sync read, ${name}, at random, into a page-aligned Buffer`,
    places: ['disk'],
    files: ['big'],
    short: false,
    checks: [{ label: 'against fs.readSync', kind: 'speed', of: 'readSync', to: 'fs.readSync' }],
    contenders: (context) => {
      const device = openDevice(context);
      readThrough(device, context.size);
      return pair(context, ring(context, 'uniform', { block, count: 1 << 14 }), () => alignedBuffer(block), device, block);
    },
  };
});
