// What validation, bounds, guard and counters add to a bare call that copies.
import { bareCall } from '../support/native.mjs';
import { bareCopy, openDevice, readThrough, ring } from '../support/context.mjs';

const BLOCK = 4096;

function row(id, title, { size, block = BLOCK, max, ...rest }) {
  return {
    id,
    title,
    places: ['disk'],
    files: ['hot'],
    native: true,
    ...rest,
    checks: [
      { label: 'ns over the bare copy call', kind: 'more', of: 'readSync', to: 'bare copy call', max },
      { label: 'ns of the bare copy call', kind: 'value', of: 'bare copy call' },
      { label: 'ns of an empty call', kind: 'value', of: 'empty call' },
    ],
    contenders: (context) => {
      const device = openDevice(context);
      readThrough(device, context.size);
      const { nothing } = bareCall();
      const at = ring(context, 'uniform', { size: size ?? context.size, block });
      const mask = at.length - 1;
      const ours = Buffer.alloc(block);
      return {
        'empty call': {
          run: (from, to) => {
            for (let i = from; i < to; i += 1) nothing();
          },
        },
        'bare copy call': bareCopy(context, at, { block }),
        readSync: {
          run: (from, to) => {
            for (let i = from; i < to; i += 1) device.readSync(ours, at[i & mask]);
          },
        },
      };
    },
  };
}

export default [
  row('overhead-4k', 'sync read, 4 KiB, 16 MiB hot, over a bare call', { max: 35 }),
  row('overhead-512', 'sync read, 512 B, 64 KiB hot, over a bare call', { size: 1 << 16, block: 512, short: false }),
];
