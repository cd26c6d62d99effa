// `npm run docs:site`: the pages of docs/ and a reference made from the docstrings of every entry point, as a site in site/.
import { readFileSync, readdirSync } from 'node:fs';

const { exports } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));

/** The source of each subpath that has types: `./dist/open.d.ts` comes from `lib/open.ts`. */
const entryPoints = Object.values(exports).flatMap((target) => {
  const declarations = target.require?.types ?? target.types;
  return declarations === undefined ? [] : [declarations.replace(/^\.\/dist\/(.*)\.d\.ts$/, 'lib/$1.ts')];
});

/** In the order of reading; a new one comes last. */
const READING = [
  ...['first-device', 'tour', 'command-line', 'install', 'durable-writes', 'partitions', 'media', 'adapters', 'archives'],
  ...['batches-and-leases', 'faults', 'crash-testing', 'traces', 'access'],
];
const names = readdirSync(new URL('docs/guides', import.meta.url)).map((file) => file.replace(/\.md$/, ''));
const guides = [...new Set([...READING, ...names])].map((name) => `docs/guides/${name}.md`);

/** @type {Partial<import('typedoc').TypeDocOptions>} */
export default {
  name: 'rumpblk',
  entryPoints,
  tsconfig: 'tsconfig.build.json',
  plugin: ['./scripts/docs/site-plugin.mjs'],
  readme: 'README.md',
  // Not docs/api.md, the same reference as one page.
  projectDocuments: [...guides, 'docs/[!a]*.md', 'docs/a[!p]*.md', '*[GY].md'],
  out: 'site',
  customCss: 'scripts/docs/site.css',
  groupOrder: ['Documents', 'Modules', 'Functions', 'Classes', 'Interfaces', 'Constructors', 'Properties', 'Accessors', 'Methods', '*'],
  highlightLanguages: ['bash', 'ini', 'javascript', 'json', 'typescript'],
  includeVersion: true,
  excludeInternal: true,
  excludePrivate: true,
  // Constructors that only this package calls.
  excludeProtected: true,
  disableSources: true,
  hideGenerator: true,
  githubPages: false,
  searchInDocuments: true,
  // `read` stands beside `readSync`, as in the source.
  sort: ['kind', 'source-order'],
  treatWarningsAsErrors: true,
  // A type that only a signature mentions, as of what can be iterated, needs no page.
  validation: { notExported: false, invalidLink: true, invalidPath: true, notDocumented: true, rewrittenLink: true },
  // Every member as well, but not the fields of a type that is written in place; `npm run docs` looks at properties.
  requiredToBeDocumented: ['Accessor', 'Class', 'Constructor', 'Enum', 'Function', 'Interface', 'Method', 'TypeAlias', 'Variable'],
  // What a class has from Error.
  excludeExternals: true,
};
