// rumpblk/file-disk: everything that callers may use of it.
export { DeviceDisk } from './device-disk.js';

export type { DeviceDiskOptions } from './device-disk.js';
