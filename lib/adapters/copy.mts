// The ESM face of rumpblk/copy: the same objects as the CommonJS build.
import '../loads.mjs';
export { copy } from './copy.js';
export type * from './copy.js';
