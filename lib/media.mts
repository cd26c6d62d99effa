// The ESM face of rumpblk/media: the same objects as the CommonJS build.
import './loads.mjs';
export { memory, nullMedium } from './media.js';
export type * from './media.js';
