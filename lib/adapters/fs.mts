// The ESM face of rumpblk/fs: the same objects as the CommonJS build.
export { openFileHandle } from './fs.js';
export type * from './fs.js';
