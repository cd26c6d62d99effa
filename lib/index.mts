// The ESM face: the same objects as the CommonJS build, so that there is one copy of every class.
export { BlockDevice, BlockDeviceError, BlockDriver, open, openSync } from './index.js';
export type * from './index.js';
