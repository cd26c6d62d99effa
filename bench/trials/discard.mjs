// A gigabyte that nobody needs: DeviceDisk.discard against fallocate(1).
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { openDevice } from '../support/context.mjs';

const MIB = 2 ** 20;
const SIZE = 1024 * MIB;

function filled(file) {
  const data = Buffer.alloc(MIB, 'data');
  const fd = openSync(file, 'w');
  for (let at = 0; at < SIZE; at += MIB) writeSync(fd, data, 0, MIB, at);
  closeSync(fd);
  execFileSync('sync', ['-f', file]);
}

export default [
  {
    id: 'discard',
    title: 'a discard of a gigabyte of data, ms',
    places: ['disk'],
    files: [],
    short: false,
    rounds: 3,
    passes: 1,
    skip: ({ load }) => {
      try {
        load('rumpblk/file-disk');
        execFileSync('fallocate', ['--version'], { stdio: 'ignore' });
        return undefined;
      } catch {
        return 'no file-disk or no fallocate';
      }
    },
    checks: [{ label: 'time of fallocate -p', kind: 'time', of: 'DeviceDisk.discard', to: 'fallocate -p', metric: 'ms', max: 2 }],
    contenders: (context) => {
      const file = path.join(context.folder, 'discarded');
      context.closers.push(() => rmSync(file, { force: true }));
      const freed = () => (statSync(file).blocks * 512 < MIB ? 0 : 1);
      const timed = (work) => async () => {
        const start = process.hrtime.bigint();
        await work();
        return { ms: Number(process.hrtime.bigint() - start) / 1e6 };
      };
      const { DeviceDisk } = context.load('rumpblk/file-disk');
      let device;
      return {
        'fallocate -p': {
          before: () => filled(file),
          figures: timed(() => execFileSync('fallocate', ['-p', '-o', '0', '-l', String(SIZE), file])),
          after: freed,
        },
        'DeviceDisk.discard': {
          before: () => {
            filled(file);
            device = openDevice(context, { file, mode: 'r+' });
          },
          figures: timed(() => new DeviceDisk(device).discard(0, SIZE)),
          after: freed,
        },
      };
    },
  },
];
