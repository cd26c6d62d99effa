// Issue 15, item 5: qcow2 images where the host has little room for them to grow, and such whose counts a failed tool has left wrong.
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect } from '@jest/globals';
import { createQcow2, open } from 'rumpblk';
import { reportsFrom } from '../support/child';
import { failure } from '../support/failure';
import { PRLIMIT, UNSANITIZED } from '../support/limits';
import { testWith } from '../support/peers';
import { checkImage, img, QEMU, readByQemu } from '../support/qemu-img';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
let names = 0;
const fresh = (): string => bench.path(`g${(names += 1)}.qcow2`);

describe('an image whose file must not be longer than so', () => {
  // Claims are of 16 MiB, then 32, then 64: those that do not fit are made smaller.
  testWith(
    PRLIMIT,
    UNSANITIZED,
    ...QEMU,
  )('takes writes up to the last cluster that fits', async () => {
    const file = fresh();
    await createQcow2(file, { size: 200 * MiB });
    const limit = 75 * MiB;
    const script = `
      const { execFileSync } = require('node:child_process');
      execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=' + args.limit + ':']);
      const device = openSync(args.file, { format: 'qcow2', mode: 'r+' });
      const data = Buffer.alloc(131072, 7);
      let written = 0;
      let failed;
      while (failed === undefined) {
        const { code } = await attempt(() => device.write(data, written));
        if (code === undefined) written += data.length;
        else failed = code;
      }
      report({ written, failed, again: (await attempt(() => device.write(data, 0))).code, close: await attempt(() => device.close()) });`;
    const [answer] = await reportsFrom(script, { args: { file, limit } });
    expect(answer).toMatchObject({ failed: 'EFBIG', close: {} });
    expect(answer.written).toBeGreaterThan(limit - 2 * MiB);
    expect(statSync(file).size).toBeLessThanOrEqual(limit);
    expect(checkImage(file)).toBe(0);
    expect(readByQemu(bench, file).equals(Buffer.concat([Buffer.alloc(answer.written, 7), Buffer.alloc(200 * MiB - answer.written)]))).toBe(
      true,
    );
  });
});

describe('counts that do not fit the tables', () => {
  testWith(...QEMU)('of a snapshot that was cut off: the error says what mends them', async () => {
    const raw = bench.image(pattern(MiB));
    const file = fresh();
    img('convert', '-f', 'raw', '-O', 'qcow2', raw, file);
    img('snapshot', '-c', 'one', file);
    const bytes = readFileSync(file);
    // Clusters are counted twice, and the header knows of no snapshot yet.
    bytes.writeUInt32BE(0, 60);
    writeFileSync(file, bytes);
    {
      await using device = await open(file, { format: 'qcow2', mode: 'r+' });
      const errors = [
        await failure(() => device.write(Buffer.alloc(512, 1), 0), 'EIO'),
        await failure(() => device.writeZeroes(0, 65536), 'EIO'),
        await failure(() => device.discard(0, 65536), 'EIO'),
      ];
      for (const { message } of errors) expect(message).toContain('qemu-img check -r all');
    }
    expect(spawnSync('qemu-img', ['check', '-q', '-f', 'qcow2', '-r', 'all', file]).status).toBe(0);
    {
      await using device = await open(file, { format: 'qcow2', mode: 'r+' });
      await device.write(Buffer.alloc(512, 1), 0);
    }
    expect(readByQemu(bench, file).equals(pattern(MiB).fill(1, 0, 512))).toBe(true);
  });
});
