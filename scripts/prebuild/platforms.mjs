// The platforms that the package has a prebuilt binary for, and the compilers that make them on this machine.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { installed, run } from '../support/run.mjs';

/** @typedef {{ arch: 'x64' | 'arm64', libc: 'glibc' | 'musl', name: string, file: string }} Platform `file`: in prebuilds/ */

/** @type {Platform[]} */
export const PLATFORMS = ['glibc', 'musl'].flatMap((libc) =>
  ['x64', 'arm64'].map((arch) => ({ arch, libc, name: `linux-${arch}-${libc}`, file: `linux-${arch}/rumpblk.${libc}.node` })),
);

/** By the words of Debian's packages, and of zig's targets. */
export const CPU = { x64: 'x86_64', arm64: 'aarch64' };

/** The one whose binary this machine's own compiler makes. */
const HOST = PLATFORMS.find(({ arch, libc }) => arch === process.arch && libc === 'glibc');

/**
 * The platforms that RUMPBLK_PREBUILDS names, divided by commas: `host` is the one of this machine. All of them unless told.
 * @returns {Platform[]}
 */
export function chosenPlatforms(words = process.env.RUMPBLK_PREBUILDS) {
  if (!words) return PLATFORMS;
  return words.split(',').map((word) => {
    const found = word === 'host' ? HOST : PLATFORMS.find(({ name }) => name === word);
    if (found === undefined) throw new Error(`RUMPBLK_PREBUILDS: ${word} is none of host, ${PLATFORMS.map(({ name }) => name).join(', ')}`);
    return found;
  });
}

/** `aarch64-linux-gnu-` in front of what Debian's compilers for another processor are called; nothing for this one. */
function prefixOf({ arch }) {
  return arch === process.arch ? '' : `${CPU[arch]}-linux-gnu-`;
}

/** What making the binary needs and this machine lacks, in words; undefined when nothing. @param {Platform} platform */
export function missingFor(platform) {
  const prefix = prefixOf(platform);
  const needs = { make: 'make', python3: 'python3', readelf: 'binutils', [`${prefix}strip`]: `binutils` };
  if (prefix !== '') needs[`${prefix}strip`] = `g++-${prefix.slice(0, -1).replace('_', '-')}`;
  if (platform.libc === 'glibc') needs[`${prefix}g++`] = prefix === '' ? 'g++' : `g++-${prefix.slice(0, -1).replace('_', '-')}`;
  const missing = Object.entries(needs).filter(([program]) => !installed(program));
  if (platform.libc === 'musl' && !existsSync(MUSL)) missing.push([MUSL, 'musl']);
  if (missing.length === 0) return undefined;
  const packages = [...new Set(missing.map(([, name]) => name))];
  return `${missing.map(([program]) => program).join(', ')} missing: apt-get install ${packages.join(' ')}`;
}

/** Debian's musl, older than the one that zig's headers belong to: a binary may ask for what it has. */
export const MUSL = `/usr/lib/${CPU[process.arch]}-linux-musl/libc.so`;

/** Packages of npm as the lock file in `folder` names them, installed once into the user's cache. @returns {Promise<string>} node_modules */
export async function npmPackages(folder, ...options) {
  const lock = readFileSync(path.join(folder, 'package-lock.json'));
  const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'rumpblk');
  const name = `${path.basename(folder)}-${createHash('sha256').update(lock).digest('hex').slice(0, 12)}`;
  const done = path.join(cache, name);
  if (!existsSync(done)) {
    mkdirSync(cache, { recursive: true });
    const part = mkdtempSync(path.join(cache, `${name}.part-`));
    for (const file of ['package.json', 'package-lock.json']) cpSync(path.join(folder, file), path.join(part, file));
    const { ok, output, why } = await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', ...options], { cwd: part });
    if (!ok) throw new Error(`npm ci in ${folder}: ${output}\n${why}`);
    try {
      renameSync(part, done);
    } catch (error) {
      // Another process was quicker.
      rmSync(part, { recursive: true, force: true });
      if (!existsSync(done)) throw error;
    }
  }
  return path.join(done, 'node_modules');
}

/** Programs in `folder` that are zig's compilers for the platform: node-gyp takes the path of a program, not a command. */
async function zigCompilers(platform, folder) {
  const packages = await npmPackages(path.join(import.meta.dirname, 'zig'));
  const zig = path.join(packages, '@ryoppippi', `zig-linux-${process.arch}`, 'zig');
  if (!existsSync(zig)) throw new Error(`no zig for ${process.arch} in scripts/prebuild/zig`);
  mkdirSync(folder, { recursive: true });
  const program = (name, ...args) => {
    const file = path.join(folder, `zig-${name}`);
    writeFileSync(file, `#!/bin/sh\nexec '${zig}' ${name} ${args.join(' ')} "$@"\n`, { mode: 0o755 });
    return file;
  };
  const target = ['-target', `${CPU[platform.arch]}-linux-musl`];
  return { CC: program('cc', ...target), CXX: program('c++', ...target), AR: program('ar') };
}

/**
 * The environment in which node-gyp builds for the platform, and the program that strips the result.
 * @param {Platform} platform @param {string} folder for programs that have to be written
 */
export async function toolsFor(platform, folder) {
  const prefix = prefixOf(platform);
  const strip = `${prefix}strip`;
  if (platform.libc === 'musl') return { strip, env: await zigCompilers(platform, folder) };
  if (prefix === '') return { strip, env: {} };
  return { strip, env: { CC: `${prefix}gcc`, CXX: `${prefix}g++`, AR: `${prefix}gcc-ar` } };
}
