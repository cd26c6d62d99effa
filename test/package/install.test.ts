// The tarball, installed without a compiler and without install scripts, as npm 12 does it: every way of loading it works, and
// without a binary that fits it builds from source. Runs on the Node.js that runs jest; `npm run test:long` does so on every line.
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import { buildSync } from 'esbuild';
import { ROOT } from '../support/child';
import { start } from '../support/cli';
import { compilerless, install, pack, runIn, userEnv } from '../support/installed';
import { NO_SANITIZER, peer, run, testWith } from '../support/peers';
import { rig } from '../support/rig';

jest.setTimeout(3_600_000);
const bench = rig();
// An addon of a sanitizer needs its runtime in the process; what is packed here is another one.
const declare = NO_SANITIZER.met ? describe : describe.skip;

/** Runs the install script whatever npm's policy about such scripts is; npm 12 blocks those of dependencies. */
const INSTALL_SCRIPT = ['explore', 'rumpblk', '--', 'npm', 'run', 'install'];

/** The body of a program that uses the package and prints `works`. */
const USE = `
async function use({ open, BlockDeviceError }, image) {
  const device = await open(image, { mode: 'r+' });
  try {
    await device.write(Buffer.from('sector 3'), 3 * 512, { fua: true });
    const data = Buffer.alloc(8);
    await device.read(data, 3 * 512);
    if (data.toString() !== 'sector 3' || device.size !== 65536) throw new Error('wrong content');
    const error = await device.read(data, 1e6).catch((reason) => reason);
    if (!(error instanceof BlockDeviceError)) throw new Error('wrong error');
    console.log('works');
  } finally {
    await device.close();
  }
}`;
const ESM = `import * as rumpblk from 'rumpblk';\n${USE}\nawait use(rumpblk, 'disk.img');\n`;
const CJS = `const rumpblk = require('rumpblk');\n${USE}\nuse(rumpblk, 'disk.img');\n`;
const WORKER = `
const { Worker, isMainThread } = require('node:worker_threads');
if (isMainThread) new Worker(__filename).on('error', (error) => { throw error; });
else (() => {${CJS}})();`;
const TYPED = `
import { BlockDeviceError, open, type BlockDevice, type BufResult } from 'rumpblk';
async function main(): Promise<void> {
  const device: BlockDevice = await open('disk.img');
  const { resid }: BufResult = await device.strategy({ op: 'read', blkno: 0, data: new Uint8Array(512) });
  // @ts-expect-error a position is needed
  const error: unknown = await device.read(new Uint8Array(512)).catch((reason: unknown) => reason);
  await device.close();
  if (resid === 0 && error instanceof TypeError && !(error instanceof BlockDeviceError)) console.log('works');
}
void main();`;

declare('the tarball', () => {
  let tarball = '';
  let app = '';
  let env: NodeJS.ProcessEnv = {};
  const inApp = (...names: string[]): string => path.join(app, ...names);
  const packed = (...names: string[]): string => inApp('node_modules', 'rumpblk', ...names);
  const node = (...args: string[]): Promise<string> => runIn(app, env, 'node', ...args);

  beforeAll(async () => {
    tarball = await pack(bench.path('.'));
    env = userEnv(compilerless(bench.path('bin')));
    app = await install(bench.path('an app with spaces'), tarball, env, '--ignore-scripts');
    writeFileSync(inApp('disk.img'), Buffer.alloc(65536));
  });

  test('has what it needs to run and to be built, and no more', () => {
    const files = run('tar', '-tzf', tarball).trim().split('\n');
    const kinds = new Set(files.map((file) => file.replace(/^package\//, '').replace(/\/.*/s, '')));
    const documents = ['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md'];
    expect([...kinds].sort()).toEqual(
      [...documents, 'binding.gyp', 'dist', 'docs', 'examples', 'native', 'package.json', 'prebuilds'].sort(),
    );
    expect(files.filter((file) => /(?<!crash-|kv-store\.)\btest\b|\.o$|\.tsbuildinfo$|\.mts$(?<!\.d\.mts)/.test(file))).toEqual([]);
    expect(files).toContain(`package/prebuilds/${process.platform}-${process.arch}/rumpblk.glibc.node`);
    expect(existsSync(path.join(bench.path('checkout'), 'prebuilds'))).toBe(false);
  });

  test('brings two packages of others along, which load its binary or build it', () => {
    const folders = readdirSync(inApp('node_modules')).filter((name) => !name.startsWith('.'));
    expect(folders.sort().join(' ')).toBe('node-addon-api node-gyp-build rumpblk');
    expect(existsSync(packed('node_modules'))).toBe(false);
  });

  test('has the licenses of the packages that its command is made with', () => {
    const licenses = readFileSync(packed('dist', 'cli', 'bundled', 'LICENSES.txt'), 'utf8');
    const named = [...licenses.matchAll(/^(\S+) \d[\w.-]*, \S+$/gm)].map(([, name]) => name);
    expect(named).toEqual(expect.arrayContaining(['commander', 'hdr-histogram-js']));
    const inside = run('sh', '-c', 'cat "$1"/*.js', 'sh', packed('dist', 'cli', 'bundled'));
    const packages = [...inside.matchAll(/^\/\/ (?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)/gm)].map(([, name]) => name);
    expect([...new Set(named)].sort()).toEqual([...new Set(packages)].sort());
  });

  test('is installed where there is no compiler, and has built nothing', () => {
    const folders = env['PATH']?.split(path.delimiter) ?? [];
    const programs = folders.flatMap((folder) => readdirSync(folder));
    expect(programs.filter((name) => /^(cc|gcc|g\+\+|clang|make|python)/.test(name))).toEqual([]);
    expect(existsSync(packed('build'))).toBe(false);
  });

  test('its binary needs no younger glibc than Node.js 20 itself, and no libstdc++', () => {
    const [binary] = readdirSync(packed('prebuilds', `${process.platform}-${process.arch}`));
    const symbols = run('objdump', '-T', packed('prebuilds', `${process.platform}-${process.arch}`, binary ?? ''));
    const minors = [...symbols.matchAll(/\(GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
    expect(Math.max(...minors)).toBeLessThanOrEqual(28);
    expect(symbols).not.toMatch(/GLIBCXX|CXXABI/);
  });

  test.each([
    ['an ES module', 'app.mjs', ESM],
    ['CommonJS', 'app.cjs', CJS],
    ['a worker thread', 'worker.cjs', WORKER],
  ])('works in %s', async (_, file, source) => {
    writeFileSync(inApp(file), source);
    expect(await node(file)).toBe('works\n');
  });

  test('works as a command', async () => {
    const output = await runIn(app, env, 'npx', '--no-install', 'rumpblk', 'info', '--json', 'disk.img');
    expect(JSON.parse(output)).toMatchObject({ size: 65536 });
  });

  testWith(peer('man', 'man-db'))('gives man its page where it is installed globally', async () => {
    const prefix = bench.path('prefix');
    await runIn(app, env, 'npm', 'install', '-g', '--prefix', prefix, '--ignore-scripts', '--prefer-offline', '--no-audit', tarball);
    const manned = { ...process.env, PATH: `${path.join(prefix, 'bin')}:${process.env['PATH']}`, MANPATH: '' };
    const { status, stdout } = await start('man', ['-w', 'rumpblk'], { env: manned });
    expect([status, stdout.toString()]).toEqual([0, `${path.join(prefix, 'lib', 'node_modules', 'rumpblk', 'docs', 'rumpblk.1')}\n`]);
  });

  test.each(['nodenext', 'bundler'])('works in TypeScript, moduleResolution %s', async (resolution) => {
    mkdirSync(inApp('node_modules', '@types'), { recursive: true });
    if (!existsSync(inApp('node_modules', '@types', 'node'))) {
      symlinkSync(path.join(ROOT, 'node_modules', '@types', 'node'), inApp('node_modules', '@types', 'node'));
    }
    const files = resolution === 'nodenext' ? ['typed.mts', 'typed.cts'] : ['typed.ts'];
    for (const file of files) writeFileSync(inApp(file), TYPED);
    const module = resolution === 'nodenext' ? 'nodenext' : 'esnext';
    const target = ['--target', 'es2022', '--types', 'node', '--strict', '--module', module, '--moduleResolution', resolution];
    await node(path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), ...target, ...files);
    const built = files.map((file) => file.replace(/ts$/, 'js'));
    if (resolution === 'bundler') {
      const bundle = { bundle: true, platform: 'node', format: 'esm', packages: 'external' } as const;
      buildSync({ ...bundle, absWorkingDir: app, entryPoints: built, outfile: 'typed.mjs' });
      built.splice(0, 1, 'typed.mjs');
    }
    for (const file of built) expect(await node(file)).toBe('works\n');
  });

  test('works in an app bundled by esbuild: external, or with its binary beside the bundle', async () => {
    const options = { bundle: true, platform: 'node', absWorkingDir: app, logLevel: 'error' } as const;
    buildSync({ ...options, entryPoints: ['app.mjs'], format: 'esm', external: ['rumpblk'], outfile: 'external/app.mjs' });
    expect(await node('external/app.mjs')).toBe('works\n');

    // Another folder, without node_modules.
    const alone = bench.path('alone');
    buildSync({ ...options, entryPoints: ['app.cjs'], outfile: path.join(alone, 'app.js') });
    writeFileSync(path.join(alone, 'disk.img'), Buffer.alloc(65536));
    await expect(runIn(alone, env, 'node', 'app.js')).rejects.toThrow(/In a bundle: keep rumpblk external, or copy/);
    mkdirSync(path.join(alone, 'rumpblk'));
    run('cp', '-r', packed('prebuilds'), path.join(alone, 'rumpblk'));
    expect(await runIn(alone, env, 'node', 'app.js')).toBe('works\n');
  });

  test('its install script builds nothing where the binary loads', async () => {
    await runIn(app, env, 'npm', ...INSTALL_SCRIPT);
    expect(existsSync(packed('build'))).toBe(false);
  });

  test('without a binary that fits, it says what to do, and builds from source where there is a compiler', async () => {
    renameSync(packed('prebuilds'), inApp('prebuilds'));
    try {
      await expect(node('app.cjs')).rejects.toThrow(/cannot be loaded \(Error: No native build .*`npm explore rumpblk -- npm run install`/);
      await expect(runIn(app, env, 'npx', '--no-install', 'rumpblk', 'info', 'disk.img')).rejects.toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^rumpblk: the addon for .* cannot be loaded .*\n$/),
      });
      const path_ = [env['PATH'], process.env['PATH']].join(path.delimiter);
      await runIn(app, { ...env, PATH: path_, JOBS: 'max' }, 'npm', ...INSTALL_SCRIPT);
      expect(existsSync(packed('build', 'Release', 'rumpblk.node'))).toBe(true);
      expect(await node('app.cjs')).toBe('works\n');
    } finally {
      rmSync(packed('build'), { recursive: true, force: true });
      renameSync(inApp('prebuilds'), packed('prebuilds'));
    }
  });
});
