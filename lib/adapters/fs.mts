// The ESM face of rumpblk/fs: the same objects as the CommonJS build.
import '../loads.mjs';
export { createReadStream, createWriteStream, openFileHandle } from './fs.js';
export type * from './fs.js';
