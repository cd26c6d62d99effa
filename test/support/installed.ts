// The package as its users get it: packed, then installed into an empty folder, on a PATH without a compiler.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './child';
import { run } from './peers';

/** What a checkout has and a copy of it must not: each is made again, or belongs to the machine. */
const NOT_COPIED = /^(\.git|node_modules|build|dist|prebuilds|coverage|native\/build[^/]*)$/;

/** What leads a user of this machine to the registry, and settings of npm; the rest of npm_* tells of the npm that runs these tests. */
const KEPT = /^(npm_config_(registry|nodedir|cache|userconfig)|NODE_EXTRA_CA_CERTS)$/;

/** The environment of a user's shell: nothing of jest's, of npm's or of the tests' own. */
export function userEnv(bin: string): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|JEST_|RUMPBLK_|LD_|CI$)/.test(name) || KEPT.test(name));
  return { ...Object.fromEntries(entries), PATH: bin };
}

/** A folder with node, npm and a shell, to be all of the PATH. */
export function compilerless(folder: string): string {
  mkdirSync(folder);
  const found = (program: string): string => run('sh', '-c', `command -v ${program}`).trim();
  for (const program of ['npm', 'npx', 'sh', 'env']) symlinkSync(found(program), path.join(folder, program));
  symlinkSync(process.execPath, path.join(folder, 'node'));
  return folder;
}

/** Runs a program to its end in `cwd`; resolves with its output. An error carries stderr. */
export async function runIn(cwd: string, env: NodeJS.ProcessEnv, program: string, ...args: string[]): Promise<string> {
  const file = program.includes('/') ? program : path.join(env['PATH']?.split(path.delimiter)[0] ?? '', program);
  const { stdout } = await promisify(execFile)(file, args, { cwd, env, maxBuffer: 1 << 26 });
  return stdout;
}

/** Packs a copy of the checkout, so that neither dist/ nor build/ changes under other tests, with the binary of this machine alone. @returns the tarball */
export async function pack(folder: string): Promise<string> {
  const copy = path.join(folder, 'checkout');
  cpSync(ROOT, copy, { recursive: true, filter: (file) => !NOT_COPIED.test(path.relative(ROOT, file)) });
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(copy, 'node_modules'));
  const env = { ...userEnv(process.env['PATH'] ?? ''), RUMPBLK_PREBUILDS: 'host' };
  const { stdout } = await promisify(execFile)('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: copy, env });
  return path.join(folder, stdout.trim().split('\n').at(-1) ?? '');
}

/** An empty folder into which the tarball is installed. */
export async function install(folder: string, tarball: string, env: NodeJS.ProcessEnv, ...options: string[]): Promise<string> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  await runIn(folder, env, 'npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', ...options, tarball);
  return folder;
}
