// Loads rumpblk/file-disk as `require` does, for loads-file-disk.mts.

/** @throws {Error} what `require('rumpblk/file-disk')` throws */
export function requireFileDisk(): void {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- when called, not when this module loads
  require('./file-disk.js');
}
