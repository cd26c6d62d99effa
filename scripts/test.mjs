// node scripts/test.mjs SUITE...: runs suites one after the other, shows what failed and what was skipped and why,
// and ends with the line `N passed, N failed, N skipped` over all of them.
import { bare } from './suites/bare.mjs';
import { ceph } from './suites/ceph.mjs';
import { fuzz, hostile, nodes, ringless, soak, stress } from './suites/long.mjs';
import { install } from './suites/install.mjs';
import { interop } from './suites/interop.mjs';
import { jest } from './suites/jest.mjs';
import { musl } from './suites/musl.mjs';
import { native } from './suites/native.mjs';
import { platforms } from './suites/platforms.mjs';
import { powercut } from './suites/powercut.mjs';
import { runtimes } from './suites/runtimes.mjs';
import { sanitizedNode, sanitizedPrograms } from './suites/sanitized.mjs';
import { types } from './suites/types.mjs';
import { typescripts } from './suites/typescripts.mjs';
import { indent, timed } from './support/run.mjs';
import { countsLine, failedTally, sum } from './support/tally.mjs';

const SUITES = {
  types,
  jest: () => jest(),
  install,
  native: () => native(),
  asan: () => sanitizedPrograms('asan'),
  tsan: () => sanitizedPrograms('tsan'),
  'asan-node': () => sanitizedNode('asan'),
  'tsan-node': () => sanitizedNode('tsan'),
  fuzz,
  hostile,
  ringless,
  soak,
  stress,
  powercut,
  nodes,
  interop,
  ceph,
  runtimes,
  platforms,
  musl,
  bare,
  typescripts,
};

/** Runs one suite and reports on it. One that ran nothing at all has failed. */
async function runSuite(name) {
  const { value, time } = await timed(SUITES[name]);
  const none = value.passed + value.failed.length + value.skipped.length === 0;
  const tally = none ? failedTally(name, 'no tests') : value;
  for (const { name: test, detail } of tally.failed) console.log(`FAILED ${test}\n${indent(detail)}`);
  for (const { name: test, why } of tally.skipped) console.log(`SKIPPED ${test}: ${why}`);
  console.log(`${name.padEnd(7)} ${countsLine(tally)} (${time})`);
  return tally;
}

const names = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(SUITES, name));
if (names.length === 0 || unknown.length > 0) {
  console.error(`usage: test.mjs SUITE...   suites: ${Object.keys(SUITES).join(' ')}`);
  process.exit(2);
}
const tallies = [];
for (const name of names) tallies.push(await runSuite(name));
const total = sum(tallies);
console.log(countsLine(total));
process.exitCode = total.failed.length === 0 ? 0 : 1;
