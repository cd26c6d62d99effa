// native: the unit tests and stress programs of one variant of the second build, through ctest.
import { readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { VARIANTS, build, missingFor } from '../support/native.mjs';
import { ROOT, run } from '../support/run.mjs';
import { emptyTally, failedTally, lackingTally } from '../support/tally.mjs';

function unescape(text) {
  const named = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
  return text.replace(/&(\w+);/g, (whole, name) => named[name] ?? whole);
}

/** The programs of ctest's JUnit report. */
function programsOf(xml) {
  return [...xml.matchAll(/<testcase name="([^"]+)"[^>]*status="([^"]+)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map(
    ([, name, status, body = '']) => ({ name, status, output: unescape(/<system-out>([\s\S]*?)<\/system-out>/.exec(body)?.[1] ?? '') }),
  );
}

/** A program with the closing line of test/support/check.cc counts case by case, any other one as one test. */
function record(tally, { name, status, output }) {
  const counts = /^cases: (\d+) passed, (\d+) failed, \d+ skipped; checks: \d+$/m.exec(output);
  const [passed, failed] = counts?.slice(1).map(Number) ?? [status === 'run' ? 1 : 0, 0];
  tally.passed += passed;
  for (const [, test, why] of output.matchAll(/^(\S.*)\n {2}skipped: (.*)$/gm)) tally.skipped.push({ name: `${name}: ${test}`, why });
  for (let i = 1; i < failed; i += 1) tally.failed.push({ name, detail: 'see the output below' });
  if (status !== 'run' || failed > 0) tally.failed.push({ name, detail: output || status });
}

/**
 * @param {string} variant of VARIANTS
 * @param {{ args?: string[], env?: NodeJS.ProcessEnv }} [options] more arguments of ctest
 * @returns {Promise<import('../support/tally.mjs').Tally>}
 */
export async function native(variant = 'debug', { args = [], env = {} } = {}) {
  const lacks = missingFor(variant);
  if (lacks !== undefined) return lackingTally(`native (${variant})`, lacks);
  const built = await build(variant);
  if (!built.ok) return failedTally(`build of ${VARIANTS[variant].folder}`, `${built.output}\n${built.why}`);
  const report = path.join(ROOT, VARIANTS[variant].folder, 'ctest.xml');
  rmSync(report, { force: true });
  const jobs = String(os.availableParallelism());
  const common = ['--test-dir', VARIANTS[variant].folder, '--no-tests=error', '--parallel', jobs, '--output-junit', report];
  // ctest cuts the output of a test at 1 KiB and 300 KiB unless told; the closing line of a program is at the end.
  const whole = ['--test-output-size-passed', '1000000', '--test-output-size-failed', '1000000'];
  const ran = await run('ctest', [...common, ...whole, ...args], { env, minutes: 20 });
  const tally = emptyTally();
  try {
    for (const program of programsOf(readFileSync(report, 'utf8'))) record(tally, program);
  } catch {
    return failedTally('ctest', `${ran.output}\n${ran.why}`);
  }
  if (!ran.ok && tally.failed.length === 0) tally.failed.push({ name: 'ctest', detail: ran.output });
  return tally;
}
