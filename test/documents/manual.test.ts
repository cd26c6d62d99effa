// docs/rumpblk.1 under the programs that show it. That it says what --help says today is asked by `node scripts/docs.mjs --check`.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ROOT } from '../support/child';
import { cliMany, start } from '../support/cli';
import { peer, testWith } from '../support/peers';

const PAGE = path.join(ROOT, 'docs', 'rumpblk.1');
const MAN = peer('man', 'man-db');
const MANDOC = peer('mandoc', 'mandoc');

/** The lines of examples in a page of help. */
function examplesIn(help: string): string[] {
  const [, behind = ''] = help.split('\nExamples:\n');
  const lines = behind.split('\n');
  return lines.filter((line) => line.startsWith('    ')).map((line) => line.trim());
}

/** The options of a page of help but --help, as they are declared. */
function optionsIn(help: string): string[] {
  return Array.from(help.matchAll(/^ {2}(-.*?)(?: {2,}.*)?$/gm), ([, term]) => term ?? '').filter((term) => !term.includes('--help'));
}

describe('the page for man', () => {
  testWith(MAN)('is shown by man-db without a warning, with every command, option and example as --help has them', async () => {
    const env = { MANWIDTH: '100', LC_ALL: 'C', MANPAGER: 'cat', MANOPT: '' };
    const { status, stdout, stderr } = await start('man', ['--warnings', '-l', PAGE], { env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const shown = stdout.toString();
    const names = Array.from(shown.matchAll(/^ {3}rumpblk (\S+(?: (?!\[)[a-z]+)?)/gm), ([, name]) => name?.replace(/\|.*/, '') ?? '');
    expect(names).toEqual(expect.arrayContaining(['info', 'partitions', 'read', 'overlay create', 'log convert', 'faults check', 'bench']));
    const pages = await cliMany([['--help'], ...names.map((name) => ['help', ...name.split(' ')])]);
    // Each command of the overview is there, by itself or by its own commands.
    const commands = Array.from(pages[0]!.stdout.matchAll(/^ {2}([a-z]+)(?:, [a-z]+)*(?: {2,}.*)?$/gm), ([, name]) => name);
    expect([...new Set(names.map((name) => name.split(' ')[0]))]).toEqual(commands);
    for (const [index, { stdout: help }] of pages.slice(1).entries()) {
      const [part = ''] = shown.slice(shown.indexOf(`\n   rumpblk ${names[index]}`) + 1).split(/\n {3}rumpblk |\n[A-Z]/, 1);
      expect(part).toContain(help.slice('Usage: '.length, help.indexOf('\n')));
      const lines = part.split('\n').map((line) => line.trim());
      expect(examplesIn(help).length).toBeGreaterThanOrEqual(2);
      expect(lines).toEqual(expect.arrayContaining(examplesIn(help)));
      for (const option of optionsIn(help)) expect(lines.some((line) => line === option || line.startsWith(`${option} `))).toBe(true);
    }
  });

  testWith(MANDOC)('is found right by mandoc', async () => {
    expect(await start('mandoc', ['-T', 'lint', PAGE])).toMatchObject({ status: 0, stderr: '', stdout: Buffer.alloc(0) });
  });

  test('is named in package.json, and goes with the package', () => {
    // npm links no page where "man" is a string.
    const { man, files } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as Record<'man' | 'files', string[]>;
    expect(man.map((file) => path.join(ROOT, file))).toEqual([PAGE]);
    expect(files).toContain('docs');
  });
});
