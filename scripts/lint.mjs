// node scripts/lint.mjs [CHECK...]: every check that is no test. One line a check, and the output of those that failed.
// Needs dist/ (`npm run build:ts`), which tests, publint and attw look at.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { VARIANTS, configure, missingFor } from './support/native.mjs';
import { ROOT, each, installed, node, run, timed, tool } from './support/run.mjs';
import { NATIVE_SOURCES, sources } from './support/sources.mjs';

/** The package as it would be published, checked for how its entry points and types resolve. */
async function packed(check) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rumpblk-pack-'));
  try {
    // Without scripts: `prepare` would empty and refill dist/ under the other checks.
    const pack = await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]);
    return pack.ok ? await check(path.join(folder, pack.output.trim().split('\n').at(-1))) : pack;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Without the program: a failure in CI, which installs it; elsewhere a line. */
function lacking(why) {
  return process.env.CI ? { ok: false, output: '', why } : { ok: true, output: '', why: `skipped: ${why}` };
}

/** clang's own warnings too, thread safety among them: one pass over each file, and nothing is compiled. */
async function clangTidy() {
  const lacks = missingFor('clang');
  if (lacks !== undefined) return lacking(lacks);
  const configured = await configure('clang');
  if (!configured.ok) return configured;
  const jobs = String(os.availableParallelism());
  const tidied = await run('run-clang-tidy-14', ['-quiet', '-j', jobs, '-p', VARIANTS.clang.folder, 'native/(core|serve|lab|addon)/']);
  // In colours, and a finding in a header comes once for each file that includes it.
  const lines = stripVTControlCharacters(tidied.output).replaceAll(`${ROOT}/`, '').split('\n');
  const findings = new Set(lines.filter((line) => /^native\/.*: (error|warning): /.test(line)));
  return { ...tidied, output: findings.size > 0 ? [...findings].join('\n') : tidied.output };
}

async function clangFormat() {
  if (!installed('clang-format-14')) return lacking('clang-format-14 missing: apt-get install clang-format-14');
  const checked = await run('clang-format-14', ['--dry-run', '--Werror', ...sources(NATIVE_SOURCES)]);
  const files = new Set(Array.from(checked.output.matchAll(/^(\S+?):\d+:\d+: error/gm), ([, file]) => file));
  return { ...checked, output: [...files, 'npm run format lays them out'].join('\n') };
}

/** The longest first. */
const CHECKS = {
  eslint: () => node([tool('eslint', 'bin', 'eslint.js'), '.']),
  prettier: () => node([tool('prettier', 'bin', 'prettier.cjs'), '--check', '--log-level=warn', '.']),
  layers: () => node(['scripts/check-layers.mjs']),
  'clang-format': clangFormat,
  docs: () => node(['scripts/docs.mjs', '--check']),
  publint: () => packed((file) => node([tool('publint', 'src', 'cli.js'), file, '--strict'])),
  attw: () => packed((file) => node([tool('@arethetypeswrong', 'cli', 'dist', 'index.js'), file, '--no-emoji'])),
  'clang-tidy': clangTidy,
};

/** Uses every processor by itself; the others run side by side. */
const WIDE = ['clang-tidy'];

const names = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(CHECKS, name));
if (unknown.length > 0) {
  console.error(`usage: lint.mjs [CHECK...]   checks: ${Object.keys(CHECKS).join(' ')}`);
  process.exit(2);
}

let failed = 0;
async function check(name) {
  const { value, time } = await timed(CHECKS[name]);
  if (!value.ok) failed += 1;
  console.log(`${name.padEnd(13)} ${value.ok ? value.why || 'ok' : `FAILED: ${value.why}`} (${time})`);
  if (!value.ok && value.output) console.log(value.output.trimEnd());
}

const chosen = Object.keys(CHECKS).filter((name) => names.length === 0 || names.includes(name));
await each(
  chosen.filter((name) => !WIDE.includes(name)),
  check,
);
for (const name of chosen.filter((one) => WIDE.includes(one))) await check(name);
process.exitCode = failed === 0 ? 0 : 1;
