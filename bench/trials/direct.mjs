// Random reads past the page cache, by O_DIRECT on both sides, into memory that it takes as it is.
import { constants } from 'node:fs';
import { alignedBuffer, openDevice, openFileHandle, ring } from '../support/context.mjs';
import { BLOCK, promiseLanes } from '../support/lanes.mjs';
import { checked } from './promise.mjs';

const DEPTH = 32;

export default [
  {
    id: `direct-4k-depth-${DEPTH}`,
    title: `promise read, 4 KiB, by O_DIRECT at random, depth ${DEPTH}`,
    places: ['disk'],
    files: ['big'],
    skip: ({ fileSystem }) => (fileSystem === 'tmpfs' ? 'tmpfs has no disk' : undefined),
    checks: [{ label: 'against fs.promises', kind: 'speed', of: 'read', to: 'fs.promises', min: 1 }],
    contenders: async (context) => {
      const at = ring(context, 'uniform');
      const handle = await openFileHandle(context, { flags: constants.O_RDONLY | constants.O_DIRECT });
      const device = openDevice(context, { direct: true });
      const lanes = (read) => checked(promiseLanes(at, DEPTH, read, () => alignedBuffer(BLOCK)));
      return {
        'fs.promises': lanes((memory, position) => handle.read(memory, 0, BLOCK, position)),
        read: lanes((memory, position) => device.read(memory, position)),
      };
    },
  },
];
