// The ESM face of rumpblk/nbd: the same objects as the CommonJS build.
import './loads.mjs';
export { nbd, serve, NbdServer } from './nbd.js';
export type * from './nbd.js';
