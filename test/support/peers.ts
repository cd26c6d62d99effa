// What a test needs of the machine beside Node: programs of other Debian packages, and abilities of the kernel.
// A test without them is skipped with a line that says why; in CI a missing program is a failure.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from '@jest/globals';

export interface Need {
  readonly met: boolean;
  readonly why: string;
  /** False for what only the kernel could give: its absence is a skip in CI too. */
  readonly installable: boolean;
}

/** For what starts other programs, which do not run with the library of a sanitizer loaded into them. */
export const NO_SANITIZER: Need = {
  met: process.env['RUMPBLK_SANITIZER'] === undefined,
  why: 'a sanitizer is loaded into every program',
  installable: false,
};

const SBIN = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** A program, and the Debian package that has it. */
export function peer(program: string, debianPackage: string): Need {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), ...SBIN];
  const met = folders.some((folder) => existsSync(path.join(folder, program)));
  return { met, why: `${program} is missing: apt-get install ${debianPackage}`, installable: true };
}

/** An ability of the machine that no package brings. `probe` tells whether it is there; throwing means no. */
export function ability(what: string, probe: () => boolean): Need {
  const answer = (): boolean => {
    try {
      return probe();
    } catch {
      return false;
    }
  };
  return { met: answer(), why: `this machine has no ${what}`, installable: false };
}

type Body = () => void | Promise<void>;
export type Declare = (name: string, body: Body, timeout?: number) => void;

/** `test` where every need is met, a visible skip where not, a failure where CI should have installed it. */
export function testWith(...needs: Need[]): Declare {
  const missing = needs.filter((need) => !need.met);
  if (missing.length === 0) return test;
  const why = missing.map((need) => need.why).join('; ');
  if (process.env['CI'] && missing.some((need) => need.installable)) {
    return (name) => {
      test(name, () => {
        throw new Error(why);
      });
    };
  }
  const skipped = test.skip;
  return (name, body, timeout) => {
    process.stderr.write(`SKIPPED ${name}: ${why}\n`);
    skipped(name, body, timeout);
  };
}

/** Runs a program to its end and returns its standard output; stderr is part of the error when it fails. */
export function run(program: string, ...args: string[]): string {
  return runWith('', program, ...args);
}

/** The same for a program that reads `input`. */
export function runWith(input: string, program: string, ...args: string[]): string {
  return runRaw(input, program, ...args).toString();
}

/** The same for a program whose output is no text. */
export function runRaw(input: string, program: string, ...args: string[]): Buffer {
  const env = { ...process.env, PATH: [process.env['PATH'], ...SBIN].join(path.delimiter), LC_ALL: 'C' };
  return execFileSync(program, args, { env, input, stdio: ['pipe', 'pipe', 'pipe'], maxBuffer: 1 << 28 });
}
