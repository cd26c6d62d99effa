// Every ```js block of the README is a whole ES module; each runs in an empty directory where the package has its name.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { ROOT } from './support/child';
import { rig } from './support/rig';

const bench = rig();
const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');

interface Example {
  readonly title: string;
  readonly line: number;
  readonly source: string;
}

function examples(): Example[] {
  const found: Example[] = [];
  let title = '';
  for (const match of readme.matchAll(/^(#+ (?<heading>.*)|```js\n(?<source>[^]*?)\n```)$/gm)) {
    if (match.groups?.['heading'] !== undefined) title = match.groups['heading'];
    const source = match.groups?.['source'];
    if (source !== undefined) found.push({ title, line: readme.slice(0, match.index).split('\n').length, source });
  }
  return found;
}

test('the README has examples', () => {
  expect(examples().length).toBeGreaterThan(2);
  expect(readme.match(/^```(javascript|mjs|ts|typescript)\b/gm)).toBeNull();
});

describe('the example', () => {
  test.each(examples())('of "$title" in line $line runs', async ({ source }) => {
    const directory = mkdtempSync(path.join(bench.path('.'), 'example-'));
    mkdirSync(path.join(directory, 'node_modules'));
    symlinkSync(ROOT, path.join(directory, 'node_modules', 'rumpblk'));
    writeFileSync(path.join(directory, 'example.mjs'), source);
    const { stderr } = await promisify(execFile)(process.execPath, ['example.mjs'], { cwd: directory });
    expect(stderr).toBe('');
  });
});
