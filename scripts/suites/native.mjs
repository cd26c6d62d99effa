// native: the unit tests and stress programs of core, as `npm test` builds them with make (native/Makefile), or of one variant
// of the second build, through ctest.
import { readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BUILD_MINUTES, VARIANTS, build, missingFor } from '../support/native.mjs';
import { ROOT, each, installed, run } from '../support/run.mjs';
import { emptyTally, failedTally, lackingTally } from '../support/tally.mjs';

const JOBS = os.availableParallelism();
/** For a program: what takes longer hangs. */
const MINUTES = 15;

function unescape(text) {
  const named = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
  return text.replace(/&(\w+);/g, (whole, name) => named[name] ?? whole);
}

/** The programs of ctest's JUnit report. */
function programsOf(xml) {
  return [...xml.matchAll(/<testcase name="([^"]+)"[^>]*status="([^"]+)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map(
    ([, name, status, body = '']) => ({
      name,
      ok: status === 'run',
      output: unescape(/<system-out>([\s\S]*?)<\/system-out>/.exec(body)?.[1] ?? ''),
      why: status,
    }),
  );
}

/**
 * A program with the closing line of test/support/check.cc counts case by case, any other one as one test.
 *
 * @param {import('../support/tally.mjs').Tally} tally
 * @param {{ name: string, ok: boolean, output: string, why: string }} program
 */
export function record(tally, { name, ok, output, why }) {
  const counts = /^cases: (\d+) passed, (\d+) failed, \d+ skipped; checks: \d+$/m.exec(output);
  const [passed, failed] = counts?.slice(1).map(Number) ?? [ok ? 1 : 0, 0];
  tally.passed += passed;
  for (const [, test, reason] of output.matchAll(/^(\S.*)\n {2}skipped: (.*)$/gm))
    tally.skipped.push({ name: `${name}: ${test}`, why: reason });
  for (let i = 1; i < failed; i += 1) tally.failed.push({ name, detail: 'see the output below' });
  if (!ok || failed > 0) tally.failed.push({ name, detail: `${output}${why}` });
}

/** Builds the programs by make. -> their paths, or the tally of what is lacking or failed */
async function makePrograms() {
  const missing = ['make', 'g++'].filter((program) => !installed(program));
  if (missing.length > 0) return { tally: lackingTally('native', `${missing.join(', ')} missing: apt-get install ${missing.join(' ')}`) };
  const make = ['-C', 'native', '--no-print-directory'];
  const built = await run('make', [...make, '--silent', `-j${JOBS}`], { minutes: BUILD_MINUTES });
  if (!built.ok) return { tally: failedTally('make -C native', `${built.output}\n${built.why}`) };
  const listed = await run('make', [...make, 'list']);
  return {
    programs: listed.output
      .trim()
      .split(/\s+/)
      .map((program) => path.join(ROOT, 'native', program)),
  };
}

/** As many at a time as there are processors. */
async function withMake() {
  const { programs, tally = emptyTally() } = await makePrograms();
  await each(programs ?? [], async (program) => {
    record(tally, { name: path.basename(program), ...(await run(program, [], { minutes: MINUTES })) });
  });
  return tally;
}

/** What a program asks of the C and C++ libraries to start a thread, or to be called by a signal. */
const ASKS_FOR_THREADS = /_M_start_thread|\b(pthread_create|sigaction|signal)\b/;

/** The names of the programs that have threads or signals; the tally of what is lacking or failed. */
async function programsWithThreads() {
  const { programs = [], tally } = await makePrograms();
  const names = [];
  await each(programs, async (program) => {
    const { ok, output } = await run('nm', ['--undefined-only', program]);
    if (!ok || ASKS_FOR_THREADS.test(output)) names.push(path.basename(program));
  });
  return { names, tally };
}

/** The programs of a variant, built by cmake and run by ctest. */
async function withCmake(variant, { args = [], env = {}, threadsOnly = false } = {}) {
  const lacks = missingFor(variant);
  if (lacks !== undefined) return lackingTally(`native (${variant})`, lacks);
  const chosen = threadsOnly ? await programsWithThreads() : {};
  if (chosen.tally !== undefined) return chosen.tally;
  const built = await build(variant, ...(chosen.names ?? ['programs']));
  if (!built.ok) return failedTally(`build of ${VARIANTS[variant].folder}`, `${built.output}\n${built.why}`);
  const folder = path.join(ROOT, VARIANTS[variant].folder);
  const report = path.join(folder, 'ctest.xml');
  rmSync(report, { force: true });
  const common = ['--test-dir', folder, '--no-tests=error', '--parallel', String(JOBS), '--output-junit', report];
  if (chosen.names !== undefined) common.push('--tests-regex', `^(${chosen.names.join('|')})$`);
  // ctest cuts the output of a test at 1 KiB and 300 KiB unless told; the closing line of a program is at the end.
  const whole = ['--test-output-size-passed', '1000000', '--test-output-size-failed', '1000000'];
  const ran = await run('ctest', [...common, ...whole, ...args], { env, minutes: BUILD_MINUTES });
  const tally = emptyTally();
  try {
    for (const program of programsOf(readFileSync(report, 'utf8'))) record(tally, program);
  } catch {
    return failedTally('ctest', `${ran.output}\n${ran.why}`);
  }
  if (!ran.ok && tally.failed.length === 0) tally.failed.push({ name: 'ctest', detail: ran.output });
  return tally;
}

/**
 * @param {string} [variant] of VARIANTS; without one, by make alone
 * @param {{ args?: string[], env?: NodeJS.ProcessEnv, threadsOnly?: boolean }} [options] of a variant: more arguments of ctest;
 *   whether only programs that have threads or signals are built and run, as those of make tell by what they link
 * @returns {Promise<import('../support/tally.mjs').Tally>}
 */
export function native(variant, options) {
  return variant === undefined ? withMake() : withCmake(variant, options);
}
