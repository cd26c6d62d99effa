// Issue 15: overlays in qcow2 images, whose process is killed in the middle of an operation, or while it writes; QEMU's programs judge what is left.
// RUMPBLK_KILLS makes it more often.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect } from '@jest/globals';
import { open } from 'rumpblk';
import { openOverlay } from 'rumpblk/overlay';
import { runChild } from '../support/child';
import { all, changesIn } from '../support/overlays';
import { testWith } from '../support/peers';
import { checkImage, img, QEMU, readByQemu } from '../support/qemu-img';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const withQemu = testWith(...QEMU);
const SIZE = 8 * MiB;
/** Of each kind. */
const KILLS = Math.ceil(Number(process.env['RUMPBLK_KILLS'] ?? 30) / 3);
const TIMEOUT = 120_000 + KILLS * 20_000;
const first = pattern(SIZE);
const another = pattern(SIZE, 2);
const fresh = (): string => changesIn(bench, 'qcow2');

// It ends itself so many microseconds behind the beginning, whatever has become of the operation by then; or tells how many that takes.
const WORKER = `
  const { openOverlay } = require('rumpblk/overlay');
  const overlay = await openOverlay(args.base, { changes: args.changes });
  const begun = process.hrtime.bigint();
  const operation = args.what === 'rebase' ? overlay.rebase(args.other) : overlay[args.what]();
  const took = () => Number(process.hrtime.bigint() - begun) / 1000;
  if (args.spin === undefined) return operation.then(() => report({ took: took() }));
  while (took() < args.spin);
  process.kill(process.pid, 'SIGKILL');
  await operation;
`;

describe('killed in the middle of', () => {
  for (const what of ['commit', 'reset', 'rebase']) {
    withQemu(
      `a ${what}: no corrupt image, nothing lost, and it can be made again`,
      async () => {
        // The first one is not killed: the others are, at so many equal parts of its time, from nothing to all of it.
        let whole: number | undefined;
        for (let kill = -1; kill < KILLS; kill += 1) {
          const base = bench.path('kill-base.img');
          const other = bench.path('kill-other.img');
          const changes = bench.path(`kill-${what}.qcow2`);
          rmSync(changes, { force: true });
          writeFileSync(base, first);
          writeFileSync(other, another);
          const model = readFileSync(base);
          const made = await openOverlay(base, { changes });
          for (let i = 0; i < 4; i += 1) {
            const data = pattern(MiB + 512, i + kill * 4);
            await made.write(data, i * 2 * MiB + 1000);
            data.copy(model, i * 2 * MiB + 1000);
          }
          await made.close();
          const spin = whole === undefined ? undefined : (whole * kill) / Math.max(1, KILLS - 1);
          const { signal, reports } = await runChild(WORKER, { args: { base, changes, other, what, spin } });
          expect(signal).toBe(spin === undefined ? null : 'SIGKILL');
          whole ??= reports[0]!['took'] as number;
          expect([0, 3]).toContain(checkImage(changes));
          // Of a rebase: the name is the old one or the new one, and it reads as before over either.
          const info = JSON.parse(img('info', '--output=json', changes)) as { 'backing-filename': string };
          const below = info['backing-filename'];
          expect([base, other]).toContain(below);
          const seen = readByQemu(bench, changes);
          const raw = readFileSync(base);
          if (what === 'reset') {
            // Each block is as it was, or the base's again.
            for (let at = 0; at < seen.length; at += 4096) {
              const part = seen.subarray(at, at + 4096);
              if (!part.equals(model.subarray(at, at + 4096)) && !part.equals(raw.subarray(at, at + 4096)))
                throw new Error(`block at ${at}`);
            }
          } else {
            expect(seen.equals(model)).toBe(true);
          }
          const again = await openOverlay(below, { changes });
          if (what === 'commit') await again.commit();
          if (what === 'reset') await again.reset();
          if (what === 'rebase' && below === base) await again.rebase(other);
          expect(all(again).equals(what === 'reset' ? raw : model)).toBe(true);
          await again.close();
          expect([0, 3]).toContain(checkImage(changes));
          if (what === 'commit') expect(readFileSync(base).equals(model)).toBe(true);
        }
      },
      TIMEOUT,
    );
  }
});

const WRITER = `
  const { writeSync } = require('node:fs');
  const { openOverlay } = require('rumpblk/overlay');
  (async () => {
    const overlay = await openOverlay(process.argv[1], { changes: process.argv[2] });
    for (let i = 1; ; i += 1) {
      const block = (Math.imul(i, 2654435761) >>> 8) % 4096;
      overlay.writeSync(Buffer.alloc(4096, (i % 255) + 1), block * 4096);
      // Not process.stdout: a full pipe would make it keep what it is given.
      writeSync(1, block + ' ' + ((i % 255) + 1) + '\\n');
    }
  })();
`;

withQemu(
  'a writer that is killed, from before its image is there: no half of one, and all that it was told is written',
  async () => {
    const base = bench.image(pattern(16 * MiB));
    for (let kill = 0; kill < KILLS; kill += 1) {
      const changes = fresh();
      const child = spawn(process.execPath, ['-e', WRITER, base, changes], { cwd: process.cwd(), stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => {
        said += String(chunk);
        if (said.length > (kill * 10_000) / KILLS) child.kill('SIGKILL');
      });
      await once(child, 'close');
      expect([0, 3]).toContain(checkImage(changes));
      const model = readFileSync(base);
      for (const line of said.split('\n').slice(0, -1)) {
        const [block = 0, byte = 0] = line.split(' ').map(Number);
        model.fill(byte, block * 4096, (block + 1) * 4096);
      }
      const overlay = await openOverlay(base, { changes });
      const found = all(overlay);
      let others = 0;
      for (let at = 0; at < model.length; at += 4096) others += found.subarray(at, at + 4096).equals(model.subarray(at, at + 4096)) ? 0 : 1;
      // One more write may have come through than was told of.
      expect(others).toBeLessThanOrEqual(1);
      await overlay.close();
    }
    await (await open(base, { mode: 'r+' })).close();
  },
  TIMEOUT,
);
