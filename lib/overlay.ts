// rumpblk/overlay: everything that callers may use of it.
export { openOverlay } from './overlay/open-overlay.js';
export { OverlayDevice } from './overlay/overlay-device.js';
export { overlayInfo } from './overlay/overlay-info.js';
export { Snapshot } from './overlay/snapshot.js';

export type { OverlayOptions } from './overlay/open-overlay.js';
export type { OverlayInfo } from './overlay/overlay-info.js';
export type { CommitOptions, DiffOptions, RebaseOptions } from './overlay/overlay-device.js';
export type { Medium } from './media/medium.js';
export type { Source } from './media/source.js';
