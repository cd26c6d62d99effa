// Fails when rumpblk/file-disk cannot be loaded, for want of its peer for example; loads.mts says why it is a module.
import { requireFileDisk } from './require-file-disk.js';

requireFileDisk();
