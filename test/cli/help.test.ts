// The help of every command: what it fits into, and that its examples are command lines.
import { describe, expect, test } from '@jest/globals';
import { cli, cliMany, shell } from '../support/cli';

/** The commands, and those in groups. */
const COMMANDS = [
  ...[
    'info',
    'partitions',
    'map',
    'compare',
    'read',
    'write',
    'copy',
    'zero',
    'discard',
    'label',
    'serve',
    'record',
    'replay',
    'crashtest',
  ],
  ...['bench', 'help', 'completion', 'faults check', 'log show', 'log convert'],
  ...['overlay create', 'overlay info', 'overlay diff', 'overlay commit', 'overlay rebase'],
];

/** Command lines of the tool in a page of help, as a shell would have them. */
function examplesIn(help: string): string[] {
  const lines = help.slice(help.indexOf('\nExamples:\n')).replaceAll('\\\n', ' ').replaceAll('|\n', '| ').split('\n');
  return lines.filter((line) => line.startsWith('    ')).flatMap((line) => line.match(/\brumpblk\b[^|<>)]*/g) ?? []);
}

/** The words of a command line. */
function wordsOf(line: string): string[] {
  return (line.match(/'[^']*'|\S+/g) ?? []).slice(1).map((word) => word.replaceAll("'", ''));
}

describe('pages of help', () => {
  test('have two examples and no line beyond 80 columns', async () => {
    const pages = await cliMany([['--help'], ...COMMANDS.map((path) => ['help', ...path.split(' ')])]);
    for (const [index, { status, stdout }] of pages.entries()) {
      expect(status).toBe(0);
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
      if (index > 0) expect(examplesIn(stdout).length).toBeGreaterThanOrEqual(2);
    }
  });

  test('have examples that the command line understands', async () => {
    const pages = await cliMany(COMMANDS.map((path) => ['help', ...path.split(' ')]));
    const examples = pages.flatMap(({ stdout }) => examplesIn(stdout));
    // What comes last is refused, where everything before it was understood.
    const probe = '--no-such-option-as-this';
    const checked = await cliMany(
      examples.map((line) => {
        const words = wordsOf(line);
        const end = words.indexOf('--');
        return end < 0 ? [...words, probe] : [...words.slice(0, end), probe, ...words.slice(end)];
      }),
    );
    for (const [index, { stderr }] of checked.entries())
      expect([examples[index], stderr]).toEqual([examples[index], expect.stringContaining(`unknown option '${probe}'`)]);
  });

  test('the usage names what else a command is called', async () => {
    expect((await cli(['help', 'ls'])).stdout.toString()).toMatch(/^Usage: rumpblk partitions\|list\|ls \[options\] <file>\n/);
  });

  test('of a command that is unknown there is none', async () => {
    expect(await cli(['help', 'nope'])).toMatchObject({ status: 2, stderr: "rumpblk: unknown command 'nope'\nTry 'rumpblk --help'.\n" });
  });

  test('a wrong option names the page that explains it', async () => {
    const { stderr } = await cli(['overlay', 'create', 'x', '-b', 'y', '--nope']);
    expect(stderr).toBe("rumpblk: unknown option '--nope'\nTry 'rumpblk help overlay create'.\n");
  });

  test('a reader that leaves early is no failure', async () => {
    expect(await shell('{ $RUMPBLK help copy; echo "status $?" >&2; } | head -n 1')).toMatchObject({ stderr: 'status 0\n' });
  });
});
