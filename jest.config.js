// Tests run over the built package, as its users have it: run `npm run build:ts` after a change in lib/.
// No retries: a test that fails now and then is a bug.
'use strict';

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
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
  testTimeout: 20_000,
};
