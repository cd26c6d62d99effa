// The order of the test files. Jest begins with those that took longest the last time; in a fresh clone, where it knows of none, the
// ones below would be among the last, and leave all processors but one idle at the end.
'use strict';
const { default: Sequencer } = require('@jest/test-sequencer');

/** By their time, the longest first. */
const SLOW = [
  'cli/workload/jobs',
  'documents/documents',
  'package/site',
  'cli/workload/run',
  'cli/workload/page',
  'device/lifecycle',
  'copy/copy-holes',
  'random/properties',
  'random/soak',
  'random/limits',
];

const rank = ({ path }) => {
  const found = SLOW.findIndex((name) => path.endsWith(`/test/${name}.test.ts`));
  return found < 0 ? SLOW.length : found;
};

module.exports = class extends Sequencer {
  /** As Jest sorts them, behind the slow ones. */
  sort(tests) {
    return super.sort(tests).sort((a, b) => rank(a) - rank(b));
  }
};
