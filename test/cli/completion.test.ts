// rumpblk completion, in the shells themselves.
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { cli, start, TOOL } from '../support/cli';
import { SFDISK, sfdisk } from '../support/disks';
import { peer, testWith } from '../support/peers';
import { MiB, rig } from '../support/rig';

const bench = rig();
/** A shell that is asked for several things, one after the other, on a machine that does others. */
const TIMEOUT = 120_000;
const BASH = peer('bash', 'bash');
const ZSH = peer('zsh', 'zsh');
const FISH = peer('fish', 'fish');

/** A folder with the tool by its name, for the scripts to call. */
function toolFolder(): string {
  const folder = path.dirname(bench.path('rumpblk'));
  writeFileSync(path.join(folder, 'rumpblk'), `#!/bin/sh\nexec '${process.execPath}' '${TOOL}' "$@"\n`);
  chmodSync(path.join(folder, 'rumpblk'), 0o755);
  return folder;
}

let env: NodeJS.ProcessEnv;
let folder: string;
beforeAll(async () => {
  folder = toolFolder();
  env = { PATH: `${folder}:${process.env['PATH']}`, HOME: folder, XDG_CONFIG_HOME: folder };
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { status, stdout } = await cli(['completion', shell]);
    expect(status).toBe(0);
    writeFileSync(path.join(folder, `rumpblk.${shell}`), stdout);
  }
});

/** A disk with two partitions. */
function disk(): string {
  const file = bench.sparse(16 * MiB);
  sfdisk(file, 'label: gpt\nsize=4M,name=boot\nsize=4M,name="my root"\n');
  return file;
}

async function inBash(...words: string[]): Promise<string[]> {
  const line = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rumpblk; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await start('bash', ['-c', line, 'bash', path.join(folder, 'rumpblk.bash'), 'rumpblk', ...words], { env });
  expect(stderr).toBe('');
  return stdout
    .toString()
    .split('\n')
    .filter((word) => word !== '');
}

async function inFish(line: string): Promise<string[]> {
  const code = `source ${folder}/rumpblk.fish; complete -C '${line}'`;
  const { stdout, stderr } = await start('fish', ['--no-config', '-c', code], { env });
  expect(stderr).toBe('');
  return stdout
    .toString()
    .split('\n')
    .map((word) => word.split('\t')[0] ?? '')
    .filter((word) => word !== '');
}

/** What the function for zsh offers for the last of these words, by what it hands to zsh's own functions: a line for each. */
async function inZsh(...words: string[]): Promise<string[]> {
  const code = `
    compdef() { : }
    _describe() { print -rl -- "\${(@P)4}" }
    _arguments() { print -rl -- "$@"; [[ "$*" != *_rumpblk_partitions* ]] || _rumpblk_partitions }
    source "$1"; shift
    words=("$@") CURRENT=$#; _rumpblk`;
  const { stdout, stderr } = await start('zsh', ['-f', '-c', code, 'zsh', path.join(folder, 'rumpblk.zsh'), 'rumpblk', ...words], { env });
  expect(stderr).toBe('');
  return stdout.toString().split('\n');
}

describe('bash', () => {
  testWith(BASH, SFDISK)(
    'completes commands, options, values, files and partitions',
    async () => {
      expect(await inBash('re')).toEqual(['read', 'record', 'replay']);
      expect(await inBash('overlay', 'c')).toEqual(['create', 'commit']);
      expect(await inBash('overlay', 'create', 'x', '--b')).toEqual(['--base', '--block-size']);
      expect(await inBash('copy', '--sparse', '')).toEqual(['extents', 'detect', 'off']);
      expect(await inBash('convert', '--spa')).toEqual(['--sparse']);
      const file = disk();
      expect(await inBash('read', file.slice(0, -1))).toContain(file);
      expect(await inBash('read', file, '--partition', '')).toEqual(['p1', 'p2']);
    },
    TIMEOUT,
  );
});

describe('fish', () => {
  testWith(FISH, SFDISK)(
    'completes commands, options, values, files and partitions',
    async () => {
      expect(await inFish('rumpblk re')).toEqual(['read', 'record', 'replay']);
      expect((await inFish('rumpblk overlay c')).sort()).toEqual(['commit', 'create']);
      expect((await inFish('rumpblk overlay create x --b')).sort()).toEqual(['--base', '--block-size']);
      expect((await inFish('rumpblk copy --sparse ')).sort()).toEqual(['detect', 'extents', 'off']);
      const file = disk();
      expect(await inFish(`rumpblk read ${file.slice(0, -1)}`)).toContain(file);
      expect(await inFish(`rumpblk read ${file} --partition `)).toEqual(['p1', 'p2']);
      // A command that is an argument here is none.
      expect(await inFish('rumpblk overlay info --he')).toEqual(['--help']);
    },
    TIMEOUT,
  );
});

describe('zsh', () => {
  testWith(ZSH, SFDISK)(
    'completes commands, options, values and partitions',
    async () => {
      expect(await inZsh('')).toContainEqual(expect.stringMatching(/^partitions:/));
      expect(await inZsh('overlay', '')).toContainEqual(expect.stringMatching(/^rebase:/));
      const ofCopy = await inZsh('copy', '--');
      expect(ofCopy).toContainEqual(expect.stringMatching(/^\*--target-is-zero\[/));
      expect(ofCopy).toContainEqual(expect.stringMatching(/^\*--sparse\[.*:\(extents detect off\)$/));
      expect(ofCopy).toContain('*:argument:_files');
      expect(await inZsh('read', disk(), '--partition', '')).toEqual(
        expect.arrayContaining(['p1:Linux filesystem "boot"', 'p2:Linux filesystem "my root"']),
      );
    },
    TIMEOUT,
  );
});

test('a shell that there is no completion for is a wrong command line', async () => {
  expect(await cli(['completion', 'tcsh'])).toMatchObject({ status: 2, stderr: expect.stringContaining('bash, zsh, fish') });
});
