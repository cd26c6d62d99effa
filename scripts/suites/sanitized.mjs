// asan, tsan: the native tests of that variant; asan-node, tsan-node: jest with its addon and the sanitizer's runtime in node.
// node-gyp-build takes the addon from the folder that RUMPBLK_PREBUILD names, so lib/ knows nothing of this.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { VARIANTS, build } from '../support/native.mjs';
import { ROOT } from '../support/run.mjs';
import { failedTally, sum } from '../support/tally.mjs';
import { jest } from './jest.mjs';
import { native } from './native.mjs';

/**
 * Runtime library, and its options by variable. `log` gets every report, also that of a child whose end nobody looks at.
 * SIGBUS belongs to core, which turns it into an error, or to nobody. Suppressions are for what is in node.
 */
const SANITIZERS = {
  asan: {
    library: 'libasan.so',
    options: (log) => ({
      ASAN_OPTIONS: `detect_leaks=1:detect_stack_use_after_return=1:handle_sigbus=0:log_path=${log}`,
      UBSAN_OPTIONS: `halt_on_error=1:print_stacktrace=1:log_path=${log}`,
    }),
    inNode: (options) => ({ ...options, LSAN_OPTIONS: suppressions('lsan.supp') }),
  },
  tsan: {
    library: 'libtsan.so',
    options: (log) => ({ TSAN_OPTIONS: `handle_sigbus=0:second_deadlock_stack=1:log_path=${log}` }),
    inNode: ({ TSAN_OPTIONS }) => ({ TSAN_OPTIONS: `${TSAN_OPTIONS}:${suppressions('tsan.supp')}` }),
  },
};

function suppressions(name) {
  return `suppressions=${path.join(ROOT, 'test', 'san', name)}:print_suppressions=0`;
}

/** Tests of what is around the package: of no interest to a sanitizer, and a third of the time. */
const NOT_OF_THE_ADDON = [
  'bench',
  'cli/workload',
  'cli/demo.test.ts',
  'documents',
  ...['hover', 'install', 'seed-map', 'site'].map(packageTest),
];

function packageTest(name) {
  return `package/${name}.test.ts`;
}

/** What jest takes them by. A test that has moved is told of: it would be run. */
function ignored() {
  const gone = NOT_OF_THE_ADDON.filter((name) => !existsSync(path.join(ROOT, 'test', name)));
  if (gone.length > 0) throw new Error(`not in test/ any more: ${gone.join(', ')}`);
  return `/test/(${NOT_OF_THE_ADDON.map((name) => name.replaceAll('.', '\\.')).join('|')})`;
}

/** A file of the log may also hold no more than a remark of the runtime about the program that a test started. */
const FINDING = /ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:/;

/** Runs a suite with this environment; a report of the sanitizer is a failure, whatever the tests say. */
async function watched(name, options, suite) {
  const folder = mkdtempSync(path.join(os.tmpdir(), `rumpblk-${name}-`));
  try {
    const tally = await suite(options(path.join(folder, 'report')));
    for (const report of readdirSync(folder)) {
      const detail = readFileSync(path.join(folder, report), 'utf8');
      if (FINDING.test(detail)) tally.failed.push({ name: `report of ${name}`, detail });
    }
    return tally;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * A part of the tests in one process: jest kills its workers, and what is killed reports no leaks. The addon comes before
 * all else: ThreadSanitizer can name the functions only of what is loaded at its first report, which V8 makes early, and
 * suppressions go by name.
 */
function shardOf(shard, folder, env) {
  const addon = path.join(folder, 'build', 'Release', 'rumpblk.node');
  const nodeArgs = ['--require', addon, '--require', path.join(ROOT, 'test', 'san', 'preload.cjs')];
  return jest({
    nodeArgs,
    args: ['--runInBand', '--testTimeout=120000', `--shard=${shard}`, '--testPathIgnorePatterns', ignored()],
    env,
  });
}

/**
 * The native tests of a variant; of ThreadSanitizer's, those in which it has something to find.
 *
 * @param {'asan' | 'tsan'} name @returns {Promise<import('../support/tally.mjs').Tally>}
 */
export function sanitizedPrograms(name) {
  return watched(name, SANITIZERS[name].options, (env) => native(name, { env, threadsOnly: name === 'tsan' }));
}

/**
 * jest over the addon of a variant. Slow: for `npm run test:long`.
 *
 * @param {'asan' | 'tsan'} name @returns {Promise<import('../support/tally.mjs').Tally>}
 */
export async function sanitizedNode(name) {
  const built = await build(name, 'rumpblk');
  if (!built.ok) return failedTally(`addon of ${VARIANTS[name].folder}`, `${built.output}\n${built.why}`);
  const { library, options, inNode } = SANITIZERS[name];
  const runtime = realpathSync(execFileSync('g++', [`-print-file-name=${library}`], { encoding: 'utf8' }).trim());
  const folder = path.join(ROOT, VARIANTS[name].folder);
  const addon = { LD_PRELOAD: runtime, RUMPBLK_PREBUILD: folder, RUMPBLK_SANITIZER: name };
  return watched(name, options, async (env) => {
    const count = os.availableParallelism();
    const shards = Array.from({ length: count }, (_, i) => `${i + 1}/${count}`);
    return sum(await Promise.all(shards.map((shard) => shardOf(shard, folder, { ...addon, ...inNode(env) }))));
  });
}
