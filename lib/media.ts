// rumpblk/media: everything that callers may use of it.
export { memory, nullMedium } from './media/volatile.js';

export type { MemoryOptions, NullMediumOptions } from './media/volatile.js';
export type { Medium } from './media/medium.js';
export type { Source } from './media/source.js';
