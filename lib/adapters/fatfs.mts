// The ESM face of rumpblk/fatfs: the same objects as the CommonJS build.
export { fatfsDriver } from './fatfs.js';
export type * from './fatfs.js';
