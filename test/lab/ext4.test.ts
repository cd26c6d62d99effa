// The kernel's ext4 under power cuts, judged by e2fsck: recorded through our NBD server, FUSE and a loop device.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterEach, expect, jest } from '@jest/globals';
import { openSync } from 'rumpblk';
import {
  CrashError,
  crashTest,
  loadRecording,
  recordWrites,
  type CheckOptions,
  type CrashFailure,
  type CrashState,
  type Recorder,
} from 'rumpblk/lab';
import { serve } from 'rumpblk/nbd';
import { loops } from '../support/loop';
import { NO_SANITIZER, ability, peer, run, testWith } from '../support/peers';
import { MiB, rig } from '../support/rig';

jest.setTimeout(480_000);
const bench = rig();
const { needs } = loops(bench);
const programs = [peer('mkfs.ext4', 'e2fsprogs'), peer('e2fsck', 'e2fsprogs'), peer('nbdfuse', 'libnbd-bin')];
const fuse = ability('FUSE', () => existsSync('/dev/fuse'));
const ext4 = testWith(NO_SANITIZER, ...programs, ...needs, fuse);

/** What undoes what was mounted, the last one first. */
const undo: (() => void)[] = [];
afterEach(() => {
  for (const back of undo.splice(0).reverse()) back();
});

/** Files that are made, synced, renamed and removed. */
const WORK = `set -e; cd "$0"
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
  echo "round $i" > new; sync new; mv new kept; sync .; mkdir "d$i"; sync .; [ $i -lt 3 ] || rmdir "d$((i - 2))"
done`;

/** The recording of a file system of 32 MiB in blocks of 4 KiB, in a file, with all that it takes called by `name`. */
async function recorded(name: string): Promise<string> {
  const image = bench.sparse(32 * MiB);
  run('mkfs.ext4', '-q', '-F', '-b', '4096', image);
  const device = bench.keep(openSync(image, { mode: 'r+' }));
  using recorder = recordWrites(device, { atomicUnit: 4096 });
  const [place, folder] = [bench.path(`${name}-fuse`), bench.path(`${name}-mounted`)];
  for (const made of [place, folder]) mkdirSync(made);
  await using server = await serve({ socket: bench.path(`${name}-socket`), exports: { disk: { device, writable: true } } });
  const bridge: ChildProcess = spawn('nbdfuse', [`${place}/disk`, String(server.url)], { stdio: 'ignore' });
  undo.push(() => void bridge.kill());
  while (!existsSync(`${place}/disk`)) await setTimeout(10);
  const node = run('losetup', '-f', '--show', '--direct-io=on', `${place}/disk`).trim();
  undo.push(() => void run('losetup', '-d', node));
  run('mount', '-t', 'ext4', node, folder);
  undo.push(() => void spawnSync('umount', [folder]));
  run('sh', '-c', WORK, folder);
  run('umount', folder);
  undo.pop();
  undo.pop()?.();
  const gone = new Promise((resolve) => bridge.on('exit', resolve));
  run('umount', place);
  await gone;
  undo.pop();
  recorder.stop();
  const file = bench.path(`${name}.jsonl`);
  await recorder.save(file);
  return file;
}

async function fsck(state: CrashState): Promise<string | undefined> {
  const { status, stdout } = spawnSync('e2fsck', ['-fp', await state.toFile()]);
  return (status ?? 8) < 4 ? undefined : stdout.toString().slice(0, 300);
}

/** Runs e2fsck over states until so many fail, and gives the failures. */
async function failuresOf(recorder: Recorder, options: CheckOptions): Promise<readonly CrashFailure[]> {
  const error: unknown = await crashTest(recorder, fsck, { seed: 1, ...options }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CrashError);
  return (error as CrashError).report.failures;
}

ext4('ext4 survives with its flushes, and without them it does not', async () => {
  const file = await recorded('blocks');
  using recorder = await loadRecording(file);
  expect(recorder.requests).toBeGreaterThan(50);
  const report = await crashTest(recorder, fsck, { seed: 1, samples: 2, limit: 120 });
  expect(report).toMatchObject({ failures: [], distinct: expect.any(Number) });
  expect(report.distinct).toBeGreaterThanOrEqual(100);

  // The same requests on a disk that acknowledges flushes and does nothing.
  const lying = bench.path('lying.jsonl');
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const isFlush = (line: string): boolean => line.includes('"op":"flush"');
  expect(lines.filter(isFlush).length).toBeGreaterThan(10);
  writeFileSync(
    lying,
    `${lines
      .filter((line) => !isFlush(line))
      .map((line) => line.replace('"fua":1,', ''))
      .join('\n')}\n`,
  );
  using liar = await loadRecording(lying);
  const [failure] = await failuresOf(liar, { shrink: 60 });
  expect(failure?.lost.length).toBeGreaterThanOrEqual(1);
  expect(failure?.kept.length).toBeGreaterThanOrEqual(1);
});

ext4('an ext4 on a disk that writes sectors as one has torn superblocks, and nothing else', async () => {
  // A disk that writes sectors as one and not blocks tears the superblock, which no journal has: bytes 1024 to 2047, of which one sector is older
  // than the other one. Nothing else fails.
  using torn = await loadRecording(await recorded('sectors'), { atomicUnit: 512 });
  const asked = { seed: 1, samples: 2, failures: 1000, shrink: 60 };
  // When the superblock is written is the kernel's affair: where the first states have none that is torn, later ones do.
  const early: unknown = await crashTest(torn, fsck, { ...asked, limit: 264 }).catch((reason: unknown) => reason);
  const failures = early instanceof CrashError ? early.report.failures : await failuresOf(torn, { ...asked, failures: 3, limit: 1500 });
  const kinds = new Set(failures.map(({ lost }) => lost.map(({ sector, sectors, how }) => `${how} ${sector}+${sectors}`).join()));
  for (const kind of kinds) expect(['lost 2+1', 'lost 3+1']).toContain(kind);
});

testWith(NO_SANITIZER, peer('e2fsck', 'e2fsprogs'))(
  'an ext4 that was mounted with nobarrier does not survive, by the log of others',
  async () => {
    // Made by QEMU's blklogwrites under a kernel; the image is as it was before it was mounted.
    const base = bench.path('nobarrier.img');
    const log = bench.path('nobarrier.log');
    for (const file of [base, log])
      writeFileSync(file, gunzipSync(readFileSync(path.join(__dirname, 'ext4', `${path.basename(file)}.gz`))));
    using recorder = await loadRecording(log, { base, atomicUnit: 4096 });
    const [failure] = await failuresOf(recorder, { shrink: 60 });
    expect([failure?.lost.length, failure?.kept.length]).toEqual([1, expect.any(Number)]);
    expect(failure?.kept.length).toBeGreaterThanOrEqual(1);
  },
);
