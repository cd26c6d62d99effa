// Tests run over the built package, as its users have it: run `npm run build:ts` after a change in lib/.
// No retries: a test that fails now and then is a bug.
'use strict';

// Programs that examples and tests call are there for users as well whose shell looks for none of the administrator's: mkfs, sfdisk.
process.env.PATH = [...new Set([...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'])].join(':');

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // It compiles the addon twice, for minutes: a suite of its own (scripts/suites/install.mjs).
  testPathIgnorePatterns: ['/node_modules/', '/test/package/install\\.test\\.ts$'],
  moduleNameMapper: {
    '^rumpblk$': '<rootDir>/dist/index.js',
    '^rumpblk/lab$': '<rootDir>/dist/lab.js',
    '^rumpblk/media$': '<rootDir>/dist/media.js',
    '^rumpblk/nbd$': '<rootDir>/dist/nbd.js',
    '^rumpblk/overlay$': '<rootDir>/dist/overlay.js',
    '^rumpblk/trace$': '<rootDir>/dist/trace.js',
    '^rumpblk/(.*)$': '<rootDir>/dist/adapters/$1.js',
  },
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, sourceMaps: 'inline' }],
  },
  injectGlobals: false,
  errorOnDeprecated: true,
  testSequencer: '<rootDir>/test/support/sequencer.cjs',
  maxWorkers: '100%',
  // For what hangs: a machine that has other work takes many times as long, and that is no failure.
  testTimeout: 120_000,
};
