// rumpblk/random-access-storage: everything that callers may use of it.
export { RandomAccessDevice } from './random-access-device.js';

export type { RandomAccessCallback, RandomAccessDeviceOptions, RandomAccessStorage } from './random-access-device.js';
