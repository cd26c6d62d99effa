// The ESM face of rumpblk/trace: the same objects as the CommonJS build.
import './loads.mjs';
export { readLog, readLogFile, writeLogFile } from './trace.js';
export type * from './trace.js';
