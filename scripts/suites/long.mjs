// What is too long for CI: minutes of fuzzing, the stress programs for longer, the tests under every Node line.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { VARIANTS, build, missingFor } from '../support/native.mjs';
import { ROOT, each, run, tool } from '../support/run.mjs';
import { emptyTally, failedTally, lackingTally } from '../support/tally.mjs';
import { ALL_FILES } from './install.mjs';
import { jest } from './jest.mjs';
import { native } from './native.mjs';

/** Node lines beside the one that runs this; npx fetches them. */
const NODE_LINES = ['22', '24', '26'];

/** Seconds for each fuzzer, stress program and random test: RUMPBLK_LONG_SECONDS, or two minutes. */
const SECONDS = Number(process.env.RUMPBLK_LONG_SECONDS ?? 120);

/** Inputs of a fuzzer whose seed is given: a quicker machine goes no further along a path that others have gone. */
const RUNS = 50_000;

/**
 * Each libFuzzer program of native/test/fuzz for SECONDS, from the seeds beside it if there are any; what it finds stays
 * out of them. RUMPBLK_FUZZ_SEED: not a new path at every run, but the one of that number, and no more than RUNS of it.
 */
export async function fuzz() {
  const lacks = missingFor('fuzz');
  if (lacks !== undefined) return lackingTally('fuzz', lacks);
  const built = await build('fuzz');
  if (!built.ok) return failedTally('build of the fuzzers', `${built.output}\n${built.why}`);
  const tally = emptyTally();
  const sources = path.join(ROOT, 'native', 'test', 'fuzz');
  const names = existsSync(sources) ? readdirSync(sources).filter((file) => file.endsWith('.cc')) : [];
  await each(names, async (file) => {
    const name = path.basename(file, '.cc');
    const corpus = path.join(sources, name);
    const found = mkdtempSync(path.join(tmpdir(), 'rumpblk-fuzz-'));
    const args = [`-max_total_time=${SECONDS}`, '-max_len=16384', '-print_final_stats=1', `-artifact_prefix=${ROOT}/`, found];
    if (process.env.RUMPBLK_FUZZ_SEED) args.push(`-seed=${process.env.RUMPBLK_FUZZ_SEED}`, `-runs=${RUNS}`, '-reload=0');
    const seeds = existsSync(corpus) ? [corpus] : [];
    const { ok, output, why } = await run(path.join(ROOT, VARIANTS.fuzz.folder, name), [...args, ...seeds], { minutes: SECONDS / 60 + 5 });
    rmSync(found, { recursive: true });
    if (ok) tally.passed += 1;
    else tally.failed.push({ name, detail: `${output.slice(-10_000)}\n${why}` });
  });
  return tally;
}

/** The random tests of the public surface with new seeds, longer, and 200 kills; their seeds are in the output of one that fails. */
export function hostile() {
  const seconds = String(SECONDS);
  const lengths = {
    RUMPBLK_PROPERTY_SECONDS: seconds,
    RUMPBLK_THREADS_SECONDS: seconds,
    RUMPBLK_MODEL_SECONDS: seconds,
    RUMPBLK_KILLS: '200',
    RUMPBLK_LAYOUTS: '100',
  };
  return jest({
    args: [
      'test/random/(properties|model|threads-model)',
      'test/(durability|overlay)/(persistent-)?kill',
      'test/label/(codec|layouts)',
      'test/device/protect',
      'test/trace/json',
    ],
    env: { RUMPBLK_CHANCE: 'new', ...lengths },
    tell: /^(properties|threads|kill|partitions-layouts): .*/gm,
  });
}

/** jest where io_uring is denied, so that workers do what waits for a disk: all of it holds by either engine. */
export function ringless() {
  return jest({ program: ['python3', path.join(ROOT, 'scripts', 'suites', 'without-ring.py'), process.execPath] });
}

/** Ten minutes of mixed load, or RUMPBLK_SOAK_SECONDS. What it measured goes to stderr as it ends. */
export function soak() {
  const seconds = process.env.RUMPBLK_SOAK_SECONDS ?? '600';
  return jest({ args: ['test/random/soak'], env: { RUMPBLK_CHANCE: 'new', RUMPBLK_SOAK_SECONDS: seconds }, tell: /^soak: .*/gm });
}

/** The stress programs under ThreadSanitizer, which read RUMPBLK_STRESS_SECONDS. */
export function stress() {
  const env = { RUMPBLK_STRESS_SECONDS: String(SECONDS) };
  return native('tsan', { args: ['--label-regex', 'stress', '--timeout', String(SECONDS * 10)], env });
}

/**
 * jest under the other Node lines, with the addon as it is built: one Node-API build serves all. The newest one installs the package as well,
 * and builds the addon with its own headers.
 */
export async function nodes() {
  const tally = emptyTally();
  for (const line of NODE_LINES) {
    const name = `jest under Node ${line}`;
    const files = line === NODE_LINES.at(-1) ? ALL_FILES : [];
    const { ok, output, why } = await run('npx', ['--yes', `node@${line}`, tool('jest', 'bin', 'jest.js'), ...files], { minutes: 75 });
    if (ok) tally.passed += 1;
    else tally.failed.push({ name, detail: `${output.slice(-20_000)}\n${why}` });
  }
  return tally;
}
