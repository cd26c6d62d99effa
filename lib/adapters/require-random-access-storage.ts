// Loads rumpblk/random-access-storage as `require` does, for loads-random-access-storage.mts.

/** @throws {Error} what `require('rumpblk/random-access-storage')` throws */
export function requireRandomAccessStorage(): void {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- when called, not when this module loads
  require('./random-access-storage.js');
}
