// The ESM face of rumpblk/overlay: the same objects as the CommonJS build.
import './loads.mjs';
export { openOverlay, OverlayDevice, overlayInfo, Snapshot } from './overlay.js';
export type * from './overlay.js';
