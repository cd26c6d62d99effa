// rumpblk/nbd: everything that callers may use of it.
export { nbd } from './media/nbd.js';

export type { NbdClientOptions, NbdMedium, NbdState, NbdStats } from './media/nbd.js';
export type { Medium } from './media/medium.js';
