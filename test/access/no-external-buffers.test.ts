// A runtime that refuses memory which is not its own, as Electron does: there are no leases, and all else works.
// The addon is a copy that imports one function under another name; what is preloaded answers for the runtime.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { reportsFrom, ROOT } from '../support/child';
import { NO_SANITIZER, peer, run, testWith } from '../support/peers';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();
const compiled = testWith(peer('cc', 'gcc'), NO_SANITIZER);
const folder = mkdtempSync(path.join(tmpdir(), 'rumpblk-no-external-'));
const addon = path.join(folder, 'build', 'Release', 'rumpblk.node');
const runtime = path.join(folder, 'refuses.so');

// Of the same length, so that it fits where the name of Node-API's function is. 22: napi_no_external_buffers_allowed.
const [ASKED, REFUSED] = ['napi_create_external_arraybuffer', 'napi_refuse_external_arraybuffer'];

beforeAll(() => {
  if (!NO_SANITIZER.met) return;
  const source = path.join(folder, 'refuses.c');
  writeFileSync(source, `int ${REFUSED}(void) { return 22; }\n`);
  run('cc', '-shared', '-fPIC', '-o', runtime, source);
  mkdirSync(path.dirname(addon), { recursive: true });
  copyFileSync(path.join(ROOT, 'build', 'Release', 'rumpblk.node'), addon);
  const bytes = readFileSync(addon);
  const at = bytes.indexOf(`${ASKED}\0`, 0, 'latin1');
  expect(at).toBeGreaterThan(0);
  bytes.write(REFUSED, at, 'latin1');
  writeFileSync(addon, bytes);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

for (const access of ['auto', 'mmap'] as const) {
  compiled(`under ${access}, mapSync is ENOTSUP, keeps nothing, and reads, writes and batches go on`, async () => {
    const script = `
      const mappings = () => fs.readFileSync('/proc/self/maps', 'latin1').split(args.file).length;
      const driver = new BlockDriver({ windowCount: 2, windowSize: 65536 });
      const options = { driver, access: args.access, mode: args.mode };
      const disk = openSync(args.file, options);
      disk.readSync(Buffer.alloc(4096), 0);
      disk.readSync(Buffer.alloc(4096), 0);
      const before = mappings();
      const codes = [];
      // Of two windows one may be pinned: a lease that was still held would make the next one EBUSY.
      for (let i = 0; i < 100; i += 1) codes.push((await attempt(() => disk.mapSync(0, 4096))).code);
      report([...new Set(codes)]);
      report(mappings() - before);
      report(disk.readSync(Buffer.alloc(4096), 128 * 1024));
      if (args.mode === 'r+') report((await disk.write(Buffer.alloc(512, 1), 512)).bytesWritten);
      const batch = disk.createBatch({ depth: 2 });
      batch.bcount.fill(512);
      batch.blkno[1] = 100;
      batch.offset[1] = 512;
      report([batch.runSync(2), batch.arena[0] === fs.readFileSync(args.file)[0]]);
      report(await attempt(() => disk.close()));
      report(mappings() - 1);`;
    for (const mode of ['r', 'r+'] as const) {
      const args = { file: bench.image(pattern(256 * KiB)), access, mode };
      const under = ['env', `LD_PRELOAD=${runtime}`, `RUMPBLK_PREBUILD=${folder}`];
      const written = mode === 'r+' ? [512] : [];
      expect(await reportsFrom(script, { args, under })).toEqual([['ENOTSUP'], 0, 4096, ...written, [2, true], {}, 0]);
    }
  });
}
