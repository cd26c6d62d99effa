// rumpblk/fatfs: everything that callers may use of it.
export { fatfsDriver } from './fatfs-driver.js';

export type { FatfsCallback, FatfsVolumeDriver, FatfsDriverOptions } from './fatfs-driver.js';
