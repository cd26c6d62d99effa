// Wrong command lines: one line on stderr that says what to do instead, and exit status 2.
import { writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { cli } from '../support/cli';
import { rig } from '../support/rig';

const bench = rig();

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
    [['info', 'memory:'], 'Give memory:64M; a file of that name is ./memory:.'],
    [['info', 'nbd://h:port'], 'Give nbd://HOST:PORT/EXPORT or'],
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

test.each([
  ['qcow2:disk.img', 'an image of a format is given as disk.img --format qcow2'],
  ['ndb://localhost/disk', 'what is no file is memory:SIZE, null:SIZE, nbd://HOST:PORT/EXPORT'],
  ['file:///srv/disk.img', 'a file is given by its path: /srv/disk.img'],
])('%s is no file, and the line says what to give', async (file, advice) => {
  expect(await cli(['info', file])).toMatchObject({ status: 1, stderr: expect.stringContaining(`(${advice}`) });
});

test('a fault plan that cannot be read and one that is none are told alike', async () => {
  const plan = bench.path('plan.json');
  writeFileSync(plan, '{"rules":[{"match":{},"action":{}}]}');
  for (const file of [plan, bench.path('missing.json')]) {
    const { stderr } = await cli(['info', 'memory:1M'], { env: { RUMPBLK_FAULTS: file } });
    expect(stderr).toMatch(/^rumpblk: The property 'env.RUMPBLK_FAULTS' must name a fault plan in JSON: .* Received '.*\.json'\n$/s);
  }
});
