// What a file is made of: a million extents, listed by the package and by lseek(2) alone.
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { floorContenders, openDevice } from '../support/context.mjs';

const BLOCK = 4096;
/** Every other block is a hole. */
const EXTENTS = 1_000_000;

function comb(context) {
  const file = path.join(context.folder, 'comb');
  const fd = openSync(file, 'w');
  const data = Buffer.alloc(BLOCK, 'data');
  context.closers.push(() => rmSync(file));
  for (let i = 0; i < EXTENTS; i += 2) writeSync(fd, data, 0, BLOCK, i * BLOCK);
  closeSync(fd);
  return file;
}

export default [
  {
    id: 'extents',
    title: 'a million extents of a file, per extent',
    places: ['disk', 'memory'],
    files: [],
    native: true,
    short: false,
    rounds: 3,
    passes: 2,
    skip: ({ blk }) => ('extents' in blk.BlockDevice.prototype ? undefined : 'this build has no extents'),
    checks: [
      { label: 'time of lseek in C, extents', kind: 'time', of: 'extents', to: 'C seek', max: 1.3 },
      { label: 'ns of JavaScript, extentsSync over C', kind: 'more', of: 'extentsSync', to: 'C seek', max: 60 },
    ],
    contenders: (context) => {
      const file = comb(context);
      const device = openDevice(context, { file });
      let listed = 0;
      const after = () => (listed === EXTENTS - 1 ? 0 : 1);
      return {
        ...floorContenders(context, ['seek'], { file, stamps: 0, ops: EXTENTS }),
        extents: {
          ops: EXTENTS,
          run: async () => {
            listed = 0;
            for await (const extent of device.extents()) listed += extent.length > 0 ? 1 : 0;
          },
          after,
        },
        extentsSync: {
          ops: EXTENTS,
          run: () => {
            listed = 0;
            for (const extent of device.extentsSync()) listed += extent.length > 0 ? 1 : 0;
          },
          after,
        },
      };
    },
  },
];
