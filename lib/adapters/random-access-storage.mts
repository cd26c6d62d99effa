// The ESM face of rumpblk/random-access-storage: the same objects as the CommonJS build.
import './loads-random-access-storage.mjs';
export { RandomAccessDevice } from './random-access-storage.js';
export type * from './random-access-storage.js';
