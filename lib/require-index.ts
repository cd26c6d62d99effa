// Loads the package as `require` does, for loads.mts.

/** @throws {Error} what `require('rumpblk')` throws */
export function requireIndex(): void {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- when called, not when this module loads
  require('./index.js');
}
