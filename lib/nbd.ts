// rumpblk/nbd: everything that callers may use of it.
export { nbd } from './media/nbd.js';
export { serve } from './serve/serve.js';
export { NbdServer } from './serve/nbd-server.js';

export type { NbdClientOptions, NbdMedium, NbdState, NbdStats } from './media/nbd.js';
export type { Medium } from './media/medium.js';
export type { NbdClientInfo, NbdCloseOptions, NbdServerEvent, NbdServerStats } from './serve/nbd-server.js';
export type { NbdExport, NbdServerOptions } from './serve/serve-options.js';
