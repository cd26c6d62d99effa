// The entries beside the main one as their users load them: in both module systems, without their peers, in a worker thread.
import { cpSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { ROOT, reportsFrom, runChild } from '../support/child';
import { pattern, rig } from '../support/rig';

const bench = rig();
const content = pattern(64 * 1024);

const ENTRIES = {
  'rumpblk/copy': ['copy'],
  'rumpblk/fatfs': ['fatfsDriver'],
  'rumpblk/file-disk': ['DeviceDisk'],
  'rumpblk/fs': ['createReadStream', 'createWriteStream', 'openFileHandle'],
  'rumpblk/lab': [
    'CrashError',
    'crashCheck',
    'crashStates',
    'crashTest',
    'flushMutations',
    'loadRecording',
    'recordWrites',
    'virtualClock',
  ],
  'rumpblk/media': ['memory', 'nullMedium'],
  'rumpblk/nbd': ['NbdServer', 'nbd', 'serve'],
  'rumpblk/overlay': ['OverlayDevice', 'Snapshot', 'openOverlay', 'overlayInfo'],
  'rumpblk/random-access-storage': ['RandomAccessDevice'],
  'rumpblk/trace': ['LatencyHistogram', 'metrics', 'readLog', 'readLogFile', 'replay', 'startTrace', 'writeLogFile'],
};

test.each(Object.entries(ENTRIES))('import and require of %s give the very same values, and nothing but those', async (entry, names) => {
  const script = `
    import { createRequire } from 'node:module';
    import * as esm from '${entry}';
    const cjs = createRequire(process.cwd() + '/')('${entry}');
    const namesOf = (exported) => Object.keys(exported).filter((name) => !['__esModule', 'default', 'module.exports'].includes(name)).sort();
    console.log(JSON.stringify([namesOf(esm), namesOf(cjs), namesOf(cjs).every((name) => esm[name] === cjs[name])]));`;
  expect(await reportsFrom(script, { module: true })).toEqual([[names, names, true]]);
});

/** The package without any other package beside it, as `npm install rumpblk` leaves it but for its own dependencies. */
function alone(binary = true): string {
  const folder = mkdtempSync(bench.path('alone-'));
  for (const name of ['dist', 'package.json']) cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  for (const name of binary ? ['build', 'native'] : []) symlinkSync(path.join(ROOT, name), path.join(folder, name));
  mkdirSync(path.join(folder, 'node_modules'));
  const { dependencies } = jestRequire('package.json') as { dependencies: object };
  for (const name of Object.keys(dependencies)) symlinkSync(path.join(ROOT, 'node_modules', name), path.join(folder, 'node_modules', name));
  return folder;
}

test('an entry whose peer is missing says which one; the others need none', async () => {
  const script = `
    const load = (entry) => { try { return Object.keys(require(args + '/dist/adapters/' + entry)).sort().pop(); } catch (error) { return [error.code, error.message, error.cause.code]; } };
    report(['copy', 'fatfs', 'fs', 'file-disk', 'random-access-storage'].map(load));`;
  const missing = (peer: string): unknown => [
    'MODULE_NOT_FOUND',
    `rumpblk/${peer} needs the package '${peer}', which cannot be loaded (Cannot find module '${peer}'): npm install ${peer}`,
    'MODULE_NOT_FOUND',
  ];
  expect(await reportsFrom(script, { args: alone() })).toEqual([
    ['copy', 'fatfsDriver', 'openFileHandle', missing('file-disk'), missing('random-access-storage')],
  ]);
});

const FACES = [
  'index',
  'lab',
  'media',
  'nbd',
  'overlay',
  'trace',
  'adapters/copy',
  'adapters/fatfs',
  'adapters/fs',
  'adapters/file-disk',
  'adapters/random-access-storage',
];

/** What a caught `import()` of a face comes to, in a process that goes on for a while. */
async function caughtImport(folder: string, face: string): Promise<unknown> {
  // Once in each process: a second import() of it would hide that Node ends the process after the first.
  const script = `
    report(await import(args).then((entry) => Object.keys(entry).length > 0, (error) => error.code));
    setTimeout(() => report('alive'), 50);`;
  const ended = await runChild(script, { args: path.join(folder, 'dist', `${face}.mjs`) });
  return [ended.code, ...ended.reports];
}

test('issue 13.3: a caught import() of an entry whose peer is missing is no more than that', async () => {
  const folder = alone();
  const without = new Set(['adapters/file-disk', 'adapters/random-access-storage']);
  for (const face of FACES) {
    expect([face, await caughtImport(folder, face)]).toEqual([face, [0, without.has(face) ? 'MODULE_NOT_FOUND' : true, 'alive']]);
  }
});

test('issue 13.3: a caught import() of any entry of the package without a binary is no more than that', async () => {
  const folder = alone(false);
  for (const face of FACES) expect([face, await caughtImport(folder, face)]).toEqual([face, [0, 'ERR_DLOPEN_FAILED', 'alive']]);
});

test('the peers are optional, and in the versions that the tests use', () => {
  const { peerDependencies, peerDependenciesMeta, devDependencies } = jestRequire('package.json') as Record<string, Record<string, any>>;
  expect(Object.keys(peerDependenciesMeta!).sort()).toEqual(Object.keys(peerDependencies!).sort());
  for (const [name, range] of Object.entries(peerDependencies!)) {
    expect(peerDependenciesMeta![name]).toEqual({ optional: true });
    expect(devDependencies![name].split('.')[0]).toBe(String(range).replace('^', '').split('.')[0]);
  }
});

function jestRequire(file: string): unknown {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return require(path.join(ROOT, file));
}

test('all of them work in a worker thread', async () => {
  const script = `
    const { Worker } = require('node:worker_threads');
    const worker = new Worker(\`
      const { parentPort, workerData } = require('node:worker_threads');
      const { openSync } = require('rumpblk');
      const { DeviceDisk } = require('rumpblk/file-disk');
      const { fatfsDriver } = require('rumpblk/fatfs');
      const { RandomAccessDevice } = require('rumpblk/random-access-storage');
      const { openFileHandle } = require('rumpblk/fs');
      const { copy } = require('rumpblk/copy');
      (async () => {
        const device = openSync(workerData.image);
        const data = Buffer.alloc(512);
        const counts = [(await new DeviceDisk(device).read(data, 0, 512, 0)).bytesRead];
        await new Promise((resolve) => fatfsDriver(device).readSectors(0, data, resolve));
        counts.push(await new Promise((resolve) => new RandomAccessDevice(device).read(0, 512, (error, got) => resolve(got.length))));
        counts.push((await openFileHandle(device).read(data)).bytesRead);
        counts.push((await copy(device, workerData.target)).bytes);
        await device.close();
        parentPort.postMessage(counts);
      })();
    \`, { eval: true, workerData: args });
    report(await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject)));`;
  const args = { image: bench.image(content), target: bench.path('copied') };
  expect(await reportsFrom(script, { args })).toEqual([[512, 512, 512, content.length]]);
});

test('a worker that is terminated in the middle of streams and copies takes nothing with it', async () => {
  const script = `
    const { Worker } = require('node:worker_threads');
    for (const delay of [0, 5, 30]) {
      const worker = new Worker(\`
        const { workerData, parentPort } = require('node:worker_threads');
        const { openSync } = require('rumpblk');
        const { openFileHandle } = require('rumpblk/fs');
        const { copy } = require('rumpblk/copy');
        (async () => {
          for (;;) {
            const device = openSync(workerData.image);
            for await (const chunk of openFileHandle(device).createReadStream({ highWaterMark: 512 })) parentPort.postMessage(chunk.length);
            await copy(device, workerData.target, { chunkSize: 4096 });
            await device.close();
          }
        })();
      \`, { eval: true, workerData: args });
      await new Promise((resolve) => worker.once('message', resolve));
      await new Promise((resolve) => setTimeout(resolve, delay));
      await worker.terminate();
    }
    const device = openSync(args.image);
    report(device.readSync(Buffer.alloc(512), 0));
    device.closeSync();`;
  const ended = await runChild(script, { args: { image: bench.image(content), target: bench.path('again') } });
  expect([ended.code, ended.reports]).toEqual([0, [512]]);
});
