// The ESM face of rumpblk/trace: the same objects as the CommonJS build.
import './loads.mjs';
export { LatencyHistogram, metrics, readLog, readLogFile, replay, startTrace, writeLogFile } from './trace.js';
export type * from './trace.js';
