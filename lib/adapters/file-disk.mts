// The ESM face of rumpblk/file-disk: the same objects as the CommonJS build.
import './loads-file-disk.mjs';
export { DeviceDisk } from './file-disk.js';
export type * from './file-disk.js';
