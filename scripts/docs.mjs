// node scripts/docs.mjs [--check]: writes docs/api.md from the docstrings of lib/, and docs/rumpblk.1 from the help of the commands in
// dist/; with --check, leaves them alone and fails when one is stale, or when docs/ names a file, a test or a link that is not there.
// Fails either way for an export without a docstring, and for a function, class or method without an example.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readSurface } from './docs/declarations.mjs';
import { dayOf, manual } from './docs/manual.mjs';
import { Page, undocumented, unexampled } from './docs/markdown.mjs';
import { docBreaches } from './docs/seed-map.mjs';
import { ROOT } from './support/run.mjs';

const [option, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (option !== undefined && option !== '--check')) {
  console.error('usage: docs.mjs [--check]');
  process.exit(2);
}

/** The entries of package.json beside the main one: the name, and the source of its types. */
const ENTRIES = Object.entries(JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')).exports)
  .filter(([name]) => name !== '.' && name !== './package.json')
  .map(([name, { require }]) => [name.slice(2), require.types.replace(/^\.\/dist\/(.*)\.d\.ts$/, 'lib/$1.ts')]);

const main = readSurface(path.join(ROOT, 'lib', 'index.ts'));
const told = [...main.exported, ...main.mentioned].map(({ name }) => name);
const more = ENTRIES.map(([name, file]) => ({ entry: `rumpblk/${name}`, ...readSurface(path.join(ROOT, file), told) }));
const surfaces = [main, ...more];
const breaches = [
  ...surfaces.flatMap(undocumented).map((name) => `${name} has no docstring`),
  ...surfaces.flatMap(unexampled).map((name) => `${name} has no @example`),
];

const read = (page) => (existsSync(path.join(ROOT, page)) ? readFileSync(path.join(ROOT, page), 'utf8') : '');
const today = new Date().toISOString().slice(0, 10);
/** The manual has the day on which it last changed. */
const manualBefore = manual(dayOf(read('docs/rumpblk.1')) ?? today);
const pages = [
  ['docs/api.md', new Page(main, more).text],
  ['docs/rumpblk.1', option !== undefined || manualBefore === read('docs/rumpblk.1') ? manualBefore : manual(today)],
];
for (const [page, text] of pages) {
  if (option === undefined) writeFileSync(path.join(ROOT, page), text);
  else if (read(page) !== text) breaches.push(`${page} is stale: run \`npm run docs\``);
}
if (option !== undefined) breaches.push(...docBreaches(ROOT));
for (const breach of breaches) console.error(breach);
process.exitCode = breaches.length === 0 ? 0 : 1;
