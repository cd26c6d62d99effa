// runtimes: the smoke test of the package (test/runtimes/smoke.cjs) under the other runtimes that have Node-API; npx fetches them.
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT, run } from '../support/run.mjs';
import { emptyTally, failedTally, sum } from '../support/tally.mjs';

const RUNTIMES = {
  bun: ['bun@1', 'bun'],
  deno: ['deno@2', 'deno', 'run', '--allow-all'],
};

/** A program's folder with the package beside it, as it is built here. */
function makeApp(folder) {
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(ROOT, path.join(folder, 'node_modules', 'rumpblk'));
  cpSync(path.join(ROOT, 'test', 'runtimes', 'smoke.cjs'), path.join(folder, 'smoke.cjs'));
  writeFileSync(path.join(folder, 'package.json'), '{ "name": "smoke", "private": true }');
}

async function smoke(name, [pkg, ...command]) {
  const folder = mkdtempSync(path.join(tmpdir(), 'rumpblk-runtime-'));
  try {
    makeApp(folder);
    const program = ['--yes', `--package=${pkg}`, '--', ...command, path.join(folder, 'smoke.cjs'), folder];
    const { ok, output, why } = await run('npx', program, { minutes: 10, cwd: folder });
    const tally = emptyTally();
    const [, passed, all] = /^(\d+) of (\d+)$/m.exec(output) ?? [];
    tally.passed = Number(passed ?? 0);
    if (!ok || all === undefined || passed !== all) tally.failed.push({ name: `smoke under ${name}`, detail: `${output}\n${why}` });
    return tally;
  } catch (error) {
    return failedTally(`smoke under ${name}`, String(error.stack));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export async function runtimes() {
  const tallies = [];
  for (const [name, command] of Object.entries(RUNTIMES)) tallies.push(await smoke(name, command));
  return sum(tallies);
}
