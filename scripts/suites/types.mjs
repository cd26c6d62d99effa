// types: tsc over lib, test and bench, and over test/types, whose files are tests of the built declarations.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { ROOT, node, tool } from '../support/run.mjs';
import { emptyTally } from '../support/tally.mjs';

const TSC = tool('typescript', 'bin', 'tsc');

/** Diagnostics by file, as far as a file is named; each with its lines that follow. */
function byFile(output) {
  const found = new Map();
  for (const diagnostic of output.split(/\n(?=\S)/).filter(Boolean)) {
    const file = /^(\S+?)\(\d+,\d+\): /.exec(diagnostic)?.[1] ?? '';
    found.set(file, [...(found.get(file) ?? []), diagnostic]);
  }
  return found;
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export async function types() {
  const tally = emptyTally();
  const record = (name, diagnostics) => {
    if (diagnostics.length === 0) tally.passed += 1;
    else tally.failed.push({ name, detail: diagnostics.join('\n') });
  };
  const [whole, checked] = await Promise.all(
    ['tsconfig.json', 'test/types/tsconfig.json'].map((project) => node([TSC, '-p', project, '--pretty', 'false'])),
  );
  record('lib, test and bench', whole.ok ? [] : [whole.output || whole.why]);

  const diagnostics = byFile(checked.output);
  for (const file of readdirSync(path.join(ROOT, 'test', 'types')).filter((name) => /\.test-d\.m?ts$/.test(name))) {
    const name = `test/types/${file}`;
    record(name, diagnostics.get(name) ?? []);
    diagnostics.delete(name);
  }
  if (!checked.ok && tally.failed.length === 0) record('test/types', [...diagnostics.values()].flat().concat(checked.why));
  return tally;
}
