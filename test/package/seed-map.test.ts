// docs/seed-map.md against the tree: every bug of the review of the seed has its row, and each file that a row names exists and carries the id.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { ROOT } from '../support/child';

const BUGS = [...Array.from({ length: 47 }, (_, i) => `B${i + 1}`), ...Array.from({ length: 6 }, (_, i) => `F${i + 1}`)];
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const lines = read('docs/seed-map.md').split('\n');

test.each(BUGS)('%s has one row, and the tests it names carry the id', (id) => {
  const rows = lines.filter((line) => line.startsWith(`| ${id} |`)).map((line) => line.split('|').map((cell) => cell.trim()));
  expect(rows).toHaveLength(1);
  const [, , seed, here, evidence] = rows[0] ?? [];
  expect([seed, here, evidence]).not.toContain('');
  if (evidence === 'by construction') return;
  const files = evidence?.match(/[^`, ]+/g) ?? [];
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    expect({ file, exists: existsSync(path.join(ROOT, file)) }).toEqual({ file, exists: true });
    expect(read(file)).toMatch(new RegExp(`\\b${id}\\b`));
  }
});

test('there are rows for these and no others', () => {
  const named = lines.flatMap((line) => /^\| ([A-Z]\d+) \|/.exec(line)?.[1] ?? []);
  expect([...named].sort()).toEqual([...BUGS].sort());
});
