// Checks the dependency direction and the forbidden things of docs/architecture.md in every source file, after a look at
// whether the checks still find what they are for.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { circlesRule } from './layers/circles.mjs';
import { FIXTURES } from './layers/fixtures.mjs';
import { globalsRule } from './layers/globals.mjs';
import { hostRule } from './layers/host.mjs';
import { lengthRule } from './layers/length.mjs';
import { libRules } from './layers/lib.mjs';
import { nativeRules } from './layers/native.mjs';
import { ROOT } from './support/run.mjs';
import { sources } from './support/sources.mjs';

const SOURCES = /^(native\/.*\.(cc|h)|(lib|test|bench|scripts)\/.*\.(ts|mts|js|cjs|mjs))$/;

/** The text with comments gone and literals empty. */
function bare(text) {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+'/g, (found) =>
    found.startsWith('/') ? ' ' : found[0] + found[0],
  );
}

/** @returns {string[]} what is wrong with the file */
function check(file, raw) {
  if (file.startsWith('native/')) {
    const text = bare(raw);
    return [...nativeRules(file, text, raw), ...globalsRule(file, text), ...hostRule(file, text, raw), ...lengthRule(raw)];
  }
  return [...(file.startsWith('scripts/') ? [] : libRules(file, raw)), ...hostRule(file, '', raw), ...lengthRule(raw)];
}

/** Fixtures that the rules judge wrongly. */
function selfTest() {
  return FIXTURES.flatMap(([file, text, part]) => {
    const found = check(file, text);
    const right = part === null ? found.length === 0 : found.some((breach) => breach.includes(part));
    return right ? [] : [`self-test: ${file}: ${JSON.stringify(text.slice(0, 60))} gave [${found.join(' | ')}], not ${part}`];
  });
}

/** Circles that the rule does not see, or sees where there are none. */
function circlesSelfTest() {
  const text = (target) => `import type { A } from './${target}.js';`;
  const there = circlesRule(
    new Map([
      ['lib/a.ts', text('b')],
      ['lib/b.ts', text('c')],
      ['lib/c.ts', text('a')],
    ]),
  );
  const none = circlesRule(
    new Map([
      ['lib/a.ts', text('b')],
      ['lib/b.ts', text('c')],
      ['lib/c.ts', ''],
    ]),
  );
  return there.length === 1 && none.length === 0 ? [] : [`self-test: circles: [${there}], [${none}]`];
}

const files = sources(SOURCES);
const texts = new Map(files.map((file) => [file, readFileSync(path.join(ROOT, file), 'utf8')]));
const breaches = [...selfTest(), ...circlesSelfTest(), ...circlesRule(texts)];
for (const [file, text] of texts) {
  for (const breach of check(file, text)) breaches.push(`${file}: ${breach}`);
}
for (const breach of breaches) console.error(breach);
console.log(`${files.length} files, ${FIXTURES.length} fixtures, ${breaches.length} breaches`);
process.exitCode = breaches.length === 0 ? 0 : 1;
