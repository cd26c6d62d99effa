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

/** What zsh makes of a line when the key for completion is pressed, up to where the line ends in `end`. */
async function inZsh(line: string, end: string): Promise<string> {
  const code = `
    zmodload zsh/zpty
    zpty z zsh -f -i
    zpty -w z 'stty columns 200; PS1=; autoload -U compinit; compinit -u -D; source ${folder}/rumpblk.zsh; cd ${folder}; zle-line-init() print REA''"DY"; zle -N zle-line-init'
    # Not before the line editor reads: what is typed before may be dropped.
    zpty -r z text '*READY*'
    zpty -w -n z $'${line}\\t'
    zpty -r z text '*${end}*'
    print -r -- "$text"
    zpty -d z`;
  const { stdout } = await start('zsh', ['-f', '-c', code], { env: { ...env, TERM: 'dumb' } });
  return stdout.toString();
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
    'completes commands, options, values, files and partitions',
    async () => {
      expect(await inZsh('rumpblk partit', 'partitions ')).toContain('rumpblk partitions ');
      expect(await inZsh('rumpblk overlay reb', 'rebase ')).toContain('overlay rebase ');
      expect(await inZsh('rumpblk copy --target-is', '--target-is-zero ')).toContain('--target-is-zero ');
      expect(await inZsh('rumpblk copy --sparse det', 'detect ')).toContain('detect ');
      const name = path.basename(disk());
      expect(await inZsh(`rumpblk info ${name.slice(0, -1)}`, `${name} `)).toContain(name);
      expect(await inZsh(`rumpblk read ${name} --partition \\t`, 'my root')).toContain('p1');
    },
    TIMEOUT,
  );
});

test('a shell that there is no completion for is a wrong command line', async () => {
  expect(await cli(['completion', 'tcsh'])).toMatchObject({ status: 2, stderr: expect.stringContaining('bash, zsh, fish') });
});
