// The ESM face of rumpblk/fatfs: the same objects as the CommonJS build.
import '../loads.mjs';
export { fatfsDriver } from './fatfs.js';
export type * from './fatfs.js';
