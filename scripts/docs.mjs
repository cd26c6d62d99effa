// node scripts/docs.mjs [--check]: writes docs/api.md from the docstrings of lib/; with --check, leaves it alone and fails when it
// is stale, or when docs/ names a file, a test or a link that is not there. Fails either way for an export without a docstring, and
// for a function, class or method without an example.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readSurface } from './docs/declarations.mjs';
import { Page, undocumented, unexampled } from './docs/markdown.mjs';
import { docBreaches } from './docs/seed-map.mjs';
import { ROOT } from './support/run.mjs';

const PAGE = path.join(ROOT, 'docs', 'api.md');

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
const { text } = new Page(main, more);
if (option === undefined) {
  writeFileSync(PAGE, text);
} else {
  if (!existsSync(PAGE) || readFileSync(PAGE, 'utf8') !== text) breaches.push('docs/api.md is stale: run `npm run docs`');
  breaches.push(...docBreaches(ROOT));
}
for (const breach of breaches) console.error(breach);
process.exitCode = breaches.length === 0 ? 0 : 1;
