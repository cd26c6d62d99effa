// Fails when rumpblk/random-access-storage cannot be loaded, for want of its peer for example; loads.mts says why it is a module.
import { requireRandomAccessStorage } from './require-random-access-storage.js';

requireRandomAccessStorage();
