// Wrong command lines: one line on stderr that says what to do instead, and exit status 2.
import { describe, expect, test } from '@jest/globals';
import { cli } from '../support/cli';

describe('a command line that makes no sense', () => {
  test.each([
    [['frobnicate'], 'frobnicate'],
    [['info'], 'file'],
    [['info', ''], 'name of a file'],
    [['info', 'x', 'y'], 'too many arguments'],
    [['info', 'x', 'p2'], 'a partition is --partition p2'],
    [['read', 'x', 'y'], 'the file to write is -o y'],
    [['write', 'x', 'y'], 'the file to read is -i y'],
    [['cp', 'x', 'y'], 'rumpblk copy SRC DST'],
    [['extract', 'x'], 'rumpblk read FILE --partition 2 -o OUTPUT'],
    [['raed', 'x'], 'Did you mean read?'],
    [['help', 'nope'], "unknown command 'nope'"],
    [['help', 'overlay', 'creat'], 'Did you mean create?'],
    [['info', 'x', '--progress'], '--progress'],
    [['read', 'x', '-o', 'y', '--progress', '--quiet'], 'exclude each other'],
    [['read', 'x', '--colour'], '--colour'],
    [['read', 'x', '--position', '-5'], '-5'],
    [['read', 'x', '-l', '1.5k'], '1.5k'],
    [['read', 'x', '-l', '3 bytes'], '3 bytes'],
    [['read', 'x', '-l', '9007199254740992'], '9007199254740992'],
    [['read', 'x', '--access', 'fast'], 'fast'],
    [['read', 'x', '--json'], '-o FILE'],
    [['write', 'x', '--fua', '--no-flush'], '--no-flush'],
    [['bench', '--size', '4k'], '--size'],
    [['bench', '--seed', '4294967296'], '4294967296'],
  ])('%j is a wrong command line: 2 and a line on stderr', async (args, word) => {
    const { status, stdout, stderr } = await cli(args);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^rumpblk: /);
    expect(stderr).toContain(word);
    if (args.includes('--json')) expect(JSON.parse(stdout.toString())).toHaveProperty('error.message');
    else expect(stdout).toHaveLength(0);
  });
});
