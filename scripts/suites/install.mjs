// install: the tarball, installed and built as users do it. It packs a copy of the checkout and compiles the addon twice, so it runs
// beside no other tests.
import { jest } from './jest.mjs';

/** All files: the configuration leaves this suite's out. */
export const ALL_FILES = ['--testPathIgnorePatterns', '/node_modules/'];

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export function install() {
  return jest({ args: [...ALL_FILES, '--', 'test/package/install'] });
}
