// typescripts: a program that uses every entry, checked by each TypeScript that README.md names, declarations included. npx
// fetches them. RUMPBLK_TYPESCRIPTS: the versions, separated by commas; all unless told.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT, each, run } from '../support/run.mjs';
import { emptyTally } from '../support/tally.mjs';

const VERSIONS = process.env.RUMPBLK_TYPESCRIPTS?.split(',') ?? [
  '5.0',
  '5.1',
  '5.2',
  '5.3',
  '5.4',
  '5.5',
  '5.6',
  '5.7',
  '5.8',
  '5.9',
  '6.0',
];
const LIBRARIES = ['es2021', 'es2022', 'es2022,dom,dom.iterable'];
/** What the program needs beside the package; the types of Node.js are those of the development dependencies. */
const BESIDE = ['@types', 'undici-types', 'file-disk', 'random-access-storage'];

/**
 * A program's folder with the package beside it as npm puts it there, no links: its declarations find what is in this folder, and
 * npx takes no TypeScript that lies beside the target of one for the version asked for.
 */
function makeApp(folder) {
  const modules = path.join(folder, 'node_modules');
  mkdirSync(path.join(modules, 'rumpblk'), { recursive: true });
  for (const name of BESIDE) cpSync(path.join(ROOT, 'node_modules', name), path.join(modules, name), { recursive: true });
  for (const name of ['dist', 'package.json']) cpSync(path.join(ROOT, name), path.join(modules, 'rumpblk', name), { recursive: true });
  cpSync(path.join(ROOT, 'test', 'types', 'range', 'user.mts'), path.join(folder, 'user.mts'));
  writeFileSync(path.join(folder, 'package.json'), '{ "name": "user", "private": true }');
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export async function typescripts() {
  const tally = emptyTally();
  const folder = mkdtempSync(path.join(tmpdir(), 'rumpblk-types-'));
  try {
    makeApp(folder);
    const settings = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
    for (const version of VERSIONS) {
      // Once alone: npx that fetches a package does so for one process at a time.
      const tsc = (...args) => run('npx', ['--yes', `--package=typescript@${version}`, '--', 'tsc', ...args], { cwd: folder });
      await tsc('--version');
      await each(LIBRARIES, async (lib) => {
        const { ok, output, why } = await tsc(...settings, '--lib', lib, 'user.mts');
        if (ok) tally.passed += 1;
        else tally.failed.push({ name: `TypeScript ${version}, lib ${lib}`, detail: `${output}\n${why}` });
      });
    }
    return tally;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
