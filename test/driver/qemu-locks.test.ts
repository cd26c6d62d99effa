// Issue 13, item 8: locks beside QEMU's programs. Readers go together, a writer excludes readers and writers, whoever came first.
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect } from '@jest/globals';
import { BlockDriver, type BlockDevice, openSync, writePartitionsSync } from 'rumpblk';
import { failure } from '../support/failure';
import { peer, run, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const withQemu = testWith(peer('qemu-io', 'qemu-utils'));
const keep = (device: BlockDevice): BlockDevice => bench.keep(device);

type Mode = 'r' | 'r+';
const image = (): string => bench.image(pattern(MiB));
const flags = (mode: Mode): string[] => (mode === 'r' ? ['-r'] : []);

/** Runs a program of QEMU's to its end. -> what it says of a lock; empty when it had no objection. */
function asks(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  const objection = /Failed to (?:get|lock).*/.exec(stdout + stderr)?.[0] ?? '';
  // qemu-io ends with 0 or 1, by its version.
  if (objection === '' && status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`);
  return objection;
}

const qemuIo = (mode: Mode, file: string): string => asks('qemu-io', ...flags(mode), '-f', 'raw', '-c', 'read 0 4k', file);

const running = new Set<ChildProcessWithoutNullStreams>();
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
});

/** A program of QEMU's that has the file open until `end()`. */
async function holding(mode: Mode, file: string, ...more: string[]): Promise<{ pid: number; end(): Promise<void> }> {
  const child = spawn('qemu-io', [...flags(mode), ...more, '-f', 'raw', file]);
  running.add(child);
  // Its answer to a command: by then it has opened.
  child.stdin.write('read 0 512\n');
  let text = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (/read 512\/512/.test(text)) break;
  }
  return {
    pid: child.pid ?? 0,
    end: async () => {
      const ended = once(child, 'exit');
      child.stdin.end('quit\n');
      await ended;
    },
  };
}

const PAIRS: readonly { ours: Mode; theirs: Mode; together: boolean }[] = [
  { ours: 'r', theirs: 'r', together: true },
  { ours: 'r', theirs: 'r+', together: false },
  { ours: 'r+', theirs: 'r', together: false },
  { ours: 'r+', theirs: 'r+', together: false },
];

describe.each(PAIRS)("ours '$ours', QEMU's '$theirs'", ({ ours, theirs, together }) => {
  withQemu(together ? 'ours first: both' : 'ours first: QEMU is refused until it is closed', () => {
    const file = image();
    const device = openSync(file, { mode: ours });
    if (together) expect(qemuIo(theirs, file)).toBe('');
    else expect(qemuIo(theirs, file)).toMatch(/^Failed to get .* lock/);
    device.closeSync();
    expect(qemuIo(theirs, file)).toBe('');
  });

  withQemu(together ? "QEMU's first: both" : "QEMU's first: EBUSY, which names it, until it has ended", async () => {
    const file = image();
    const holder = await holding(theirs, file);
    if (together) {
      keep(openSync(file, { mode: ours }));
    } else {
      const error = await failure(() => openSync(file, { mode: ours }), 'EBUSY');
      expect(error.syscall).toBe('lock');
      expect(error.holder).toEqual({ pid: holder.pid, command: 'qemu-io' });
      openSync(file, { mode: ours, lock: false }).closeSync();
    }
    await holder.end();
    keep(openSync(file, { mode: ours }));
  });
});

describe('of a range of the file, and of a partition', () => {
  // Bytes 100 and 200 of the file, where QEMU's locks lie, are in neither.
  const range = { offset: 512 * KiB, size: 64 * KiB };

  withQemu("a range counts as the file: 'r' goes with readers, 'r+' excludes", async () => {
    const file = image();
    const reader = openSync(file, range);
    expect(qemuIo('r', file)).toBe('');
    expect(qemuIo('r+', file)).not.toBe('');
    reader.closeSync();
    const writer = openSync(file, { mode: 'r+', ...range });
    expect(qemuIo('r', file)).not.toBe('');
    expect(qemuIo('r+', file)).not.toBe('');
    writer.closeSync();
    const holder = await holding('r', file);
    keep(openSync(file, range));
    await failure(() => openSync(file, { mode: 'r+', ...range }), 'EBUSY');
    await holder.end();
  });

  withQemu('ranges of one file, read and written by two opens, hide neither them nor QEMU', async () => {
    const file = image();
    keep(openSync(file, { size: 64 * KiB }));
    const holder = await holding('r', file);
    const error = await failure(() => openSync(file, { mode: 'r+', ...range }), 'EBUSY');
    expect(error.holder?.pid).toBe(holder.pid);
    await holder.end();
    keep(openSync(file, { mode: 'r+', ...range }));
    keep(openSync(file, { offset: 128 * KiB, size: 64 * KiB }));
    keep(openSync(file, { mode: 'r+', offset: 256 * KiB, size: 64 * KiB }));
    expect(qemuIo('r', file)).not.toBe('');
  });

  withQemu('partitions: what QEMU sees is the strongest of their opens', async () => {
    const file = bench.sparse(4 * MiB);
    const disk = openSync(file, { mode: 'r+' });
    writePartitionsSync(disk, {
      scheme: 'mbr',
      partitions: [
        { start: MiB, size: MiB, type: 0x83 },
        { start: 2 * MiB, size: MiB, type: 0x83 },
      ],
    });
    disk.closeSync();
    const driver = new BlockDriver();
    const minor = driver.registerSync(file);
    const [first, second] = ['s1', 's2'].map((name) => driver.registerPartitionSync(minor, name)) as [number, number];
    const reader = driver.openSync(first);
    expect(qemuIo('r', file)).toBe('');
    const writer = driver.openSync(second, { mode: 'r+' });
    expect(qemuIo('r', file)).not.toBe('');
    writer.closeSync();
    expect(qemuIo('r', file)).toBe('');
    const holder = await holding('r', file);
    await failure(() => driver.openSync(second, { mode: 'r+' }), 'EBUSY');
    await holder.end();
    expect(qemuIo('r+', file)).not.toBe('');
    reader.closeSync();
    expect(qemuIo('r+', file)).toBe('');
    driver.close();
  });
});

describe("QEMU's other programs", () => {
  withQemu('convert reads what we read, with and without -U, and not what we write', () => {
    const file = image();
    const device = openSync(file);
    for (const more of [[], ['-U']]) {
      expect(asks('qemu-img', 'convert', ...more, '-f', 'raw', '-O', 'qcow2', file, bench.path('copy.qcow2'))).toBe('');
    }
    device.closeSync();
    keep(openSync(file, { mode: 'r+' }));
    expect(asks('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', file, bench.path('copy.qcow2'))).not.toBe('');
    expect(run('qemu-img', 'info', '-U', '-f', 'raw', file)).toContain('file format: raw');
  });

  withQemu('convert does not write over what we read', () => {
    const [file, other] = [image(), image()];
    keep(openSync(file));
    for (const more of [[], ['-n']]) {
      expect(asks('qemu-img', 'convert', ...more, '-f', 'raw', '-O', 'raw', other, file)).not.toBe('');
    }
    expect(asks('qemu-img', 'resize', '-f', 'raw', file, '2M')).not.toBe('');
    expect(asks('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', file, file)).toBe('');
  });

  withQemu('an overlay is written while we hold its base, and not committed into it', () => {
    const [base, overlay] = [image(), bench.path('overlay.qcow2')];
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', overlay);
    const device = openSync(base);
    expect(asks('qemu-io', '-f', 'qcow2', '-c', 'write -P 7 0 4k', overlay)).toBe('');
    expect(asks('qemu-img', 'commit', overlay)).not.toBe('');
    const got = Buffer.alloc(4 * KiB);
    device.readSync(got, 0);
    expect(got.equals(pattern(MiB).subarray(0, got.length))).toBe(true);
    device.closeSync();
    expect(asks('qemu-img', 'commit', overlay)).toBe('');
    keep(openSync(base)).readSync(got, 0);
    expect(got.equals(Buffer.alloc(got.length, 7))).toBe(true);
  });

  withQemu('a server of QEMU counts as what it serves for', async () => {
    const file = image();
    for (const [more, reads] of [
      [['-r'], true],
      [[], false],
    ] as const) {
      const socket = bench.path(`nbd-${more.length}`);
      const server = spawn('qemu-nbd', [...more, '-t', '-f', 'raw', '-k', socket, file]);
      running.add(server);
      // It answers a client once the file is open.
      run('sh', '-c', `until qemu-img info 'nbd+unix:///?socket=${socket}' >/dev/null 2>&1; do sleep 0.05; done`);
      await failure(() => openSync(file, { mode: 'r+' }), 'EBUSY');
      if (reads) openSync(file).closeSync();
      else await failure(() => openSync(file), 'EBUSY');
      const ended = once(server, 'exit');
      server.kill();
      await ended;
    }
    const device = openSync(file, { mode: 'r+' });
    expect(asks('qemu-nbd', '-r', '-f', 'raw', '-k', bench.path('nbd'), file)).not.toBe('');
    device.closeSync();
  });
});
