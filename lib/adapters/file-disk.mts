// The ESM face of rumpblk/file-disk: the same objects as the CommonJS build.
export { DeviceDisk } from './file-disk.js';
export type * from './file-disk.js';
