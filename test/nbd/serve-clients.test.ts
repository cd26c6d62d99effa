// A server before clients of others: libnbd's programs, QEMU's, fio, and nbdkit in front of it.
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from '@jest/globals';
import { open } from 'rumpblk';
import { memory } from 'rumpblk/media';
import { openOverlay } from 'rumpblk/overlay';
import { startChild } from '../support/child';
import { COMMAND, request, WireClient } from '../support/nbd-wire';
import { NO_SANITIZER, peer, testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';
import { serving } from '../support/serving';
import { strace, STRACE } from '../support/strace';

const bench = rig();
const serve = serving(bench);
const LIBNBD = [peer('nbdinfo', 'libnbd-bin'), peer('nbdcopy', 'libnbd-bin'), NO_SANITIZER];
const QEMU = [peer('qemu-io', 'qemu-utils'), peer('qemu-img', 'qemu-utils'), NO_SANITIZER];
const say = async (program: string, ...args: string[]): Promise<string> => (await promisify(execFile)(program, args)).stdout;

testWith(...LIBNBD)('nbdcopy both ways, many connections; nbdinfo tells what the server can', async () => {
  const content = pattern(16 * MiB);
  content.fill(0, 4 * MiB, 12 * MiB);
  const device = bench.device(bench.sparse(16 * MiB), { mode: 'r+' });
  const { server, uri } = await serve(device);
  const [source, back] = [bench.image(content), bench.path('back')];
  await say('nbdcopy', '--connections=4', '--flush', source, uri);
  expect(bench.bytes(device).equals(content)).toBe(true);
  await say('nbdcopy', '--connections=4', uri, back);
  expect(readFileSync(back).equals(content)).toBe(true);
  for (const word of ['cache', 'df', 'fast-zero', 'flush', 'fua', 'multi-conn', 'trim', 'write', 'zero', 'structured-reply']) {
    expect([word, spawnSync('true').status, (await say('nbdinfo', '--can', word, uri)) === '']).toEqual([word, 0, true]);
  }
  const map = JSON.parse(await say('nbdinfo', '--map', '--json', uri)) as { offset: number; length: number; type: number }[];
  expect(map.filter(({ type }) => type === 3)).toEqual([expect.objectContaining({ offset: 4 * MiB, length: 8 * MiB })]);
  expect(server.stats().errors).toBe(0);
});

testWith(...QEMU)('qemu-io writes, zeros and discards as it likes; qemu-img compares, maps, converts', async () => {
  const device = bench.device(bench.sparse(64 * MiB), { mode: 'r+', lock: false });
  const { uri } = await serve(device);
  const commands = [
    'write -P 1 0 1M',
    'write -z -u 64k 64k',
    'write -z 256k 64k',
    'write -f -P 2 1M 8M',
    'discard 512k 128k',
    'aio_write -P 3 20M 1M',
    'aio_write -P 4 21M 1M',
    'aio_flush',
    'writev -P 5 40M 4k 60k 512 128k',
    'flush',
    'read -P 0 64k 64k',
    'read -P 0 256k 64k',
    'read -P 2 1M 8M',
    'read -P 3 20M 1M',
    'read -P 4 21M 1M',
    'read -P 5 40M 192k',
  ];
  const said = await say('qemu-io', '-f', 'raw', ...commands.flatMap((command) => ['-c', command]), uri);
  expect(said).not.toMatch(/failed|error/i);
  await device.flush();
  expect(await say('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', uri, device.path)).toBe('Images are identical.\n');
  const mapOf = async (image: string): Promise<unknown> =>
    (
      JSON.parse(await say('qemu-img', 'map', '--output=json', '-f', 'raw', image)) as { start: number; length: number; zero: boolean }[]
    ).map(({ start, length, zero }) => [start, length, zero]);
  expect(await mapOf(uri)).toEqual(await mapOf(device.path));
  const copied = bench.path('converted.qcow2');
  await say('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', uri, copied);
  expect(await say('qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', uri, copied)).toBe('Images are identical.\n');
  writeFileSync(bench.path('fresh'), pattern(64 * MiB, 9));
  await say('qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', bench.path('fresh'), uri);
  expect(bench.bytes(device).equals(pattern(64 * MiB, 9))).toBe(true);
});

testWith(...QEMU)('images, overlays and memory are served as files are', async () => {
  const base = bench.image(pattern(8 * MiB, 3));
  const qcow2 = bench.path('image.qcow2');
  await say('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-c', base, qcow2);
  const devices = [
    await open(qcow2, { format: 'qcow2', mode: 'r+' }),
    await openOverlay(base, { changes: 'memory' }),
    await open(memory({ size: 8 * MiB }), { mode: 'r+' }),
  ];
  for (const device of devices) {
    bench.keep(device);
    const { uri } = await serve(device);
    await say('qemu-img', 'bench', '-f', 'raw', '-w', '-c', '500', '-d', '16', '-s', '4k', '-S', '20480', '--pattern=77', uri);
    const read = Buffer.alloc(8 * MiB);
    device.readSync(read, 0);
    expect([...Array(500).keys()].every((i) => read[(i * 20_480) % (8 * MiB - 4096)] !== undefined)).toBe(true);
    const said = await say(
      'qemu-io',
      '-f',
      'raw',
      '-c',
      'write -P 9 1M 70k',
      '-c',
      'write -z 2M 1M',
      '-c',
      'read -P 9 1M 70k',
      '-c',
      'read -P 0 2M 1M',
      uri,
    );
    expect(said).not.toMatch(/failed|error/i);
  }
});

testWith(peer('fio', 'fio'), NO_SANITIZER)('fio writes at random and finds its own checksums, by each access', async () => {
  for (const access of ['auto', 'mmap', 'pio'] as const) {
    const { uri } = await serve(bench.device(bench.sparse(16 * MiB), { mode: 'r+', access }));
    const args = [
      '--ioengine=nbd',
      `--uri=${uri}`,
      '--rw=randwrite',
      '--bs=4k',
      '--iodepth=32',
      '--verify=crc32c',
      '--size=16m',
      '--minimal',
    ];
    await say('fio', '--name=verify', '--verify_state_save=0', `--output=${bench.path('fio')}`, ...args);
  }
});

testWith(peer('nbdkit', 'nbdkit'), ...LIBNBD)('nbdkit in front of it, with filters between', async () => {
  const content = pattern(8 * MiB, 4);
  const { socket } = await serve(bench.device(bench.image(content)), { writable: false });
  const out = bench.path('through');
  const filters = ['--filter=retry', '--filter=blocksize', '--filter=cache'];
  await say('nbdkit', '-U', '-', ...filters, 'nbd', `socket=${socket}`, 'shared=true', '--run', `nbdcopy "$uri" ${out}`);
  expect(readFileSync(out).equals(content)).toBe(true);
});

/** System calls of the connection's thread for each of many reads, which come 32 at a time; those of pages that are in memory. */
async function callsARead(access: string): Promise<number> {
  const [trace, socket] = [bench.path(`trace-${access}`), bench.path(`traced-${access}`)];
  const script = `
    const { serve } = require('rumpblk/nbd');
    const device = await open(args.image, { access: args.access });
    const server = await serve({ exports: { '': device }, socket: args.socket });
    report('ready');
    await server.closed;`;
  const child = startChild(script, {
    args: { image: bench.image(pattern(16 * MiB)), access, socket },
    under: ['strace', '-f', '-o', trace],
  });
  expect(await child.next()).toBe('ready');
  const client = await WireClient.ready(socket);
  const [depth, rounds] = [32, 150];
  for (let round = 0; round < rounds; round += 1) {
    const sizes = new Map(Array.from({ length: depth }, (_, cookie) => [cookie, 4096]));
    const position = (cookie: number): number => ((round * 131 + cookie * 17) % 4096) * 4096;
    client.send(...[...sizes.keys()].map((cookie) => request({ command: COMMAND.read, cookie, offset: position(cookie), length: 4096 })));
    for (let i = 0; i < depth; i += 1) expect((await client.reply(sizes)).error).toBe(0);
  }
  client.close();
  process.kill(-child.pid!, 'SIGKILL');
  await child.ended;
  const lines = readFileSync(trace, 'utf8').split('\n');
  const threads = new Set(lines.filter((line) => line.includes(' sendmsg(')).map((line) => line.split(' ')[0]));
  expect(threads.size).toBe(1);
  return lines.filter((line) => threads.has(line.split(' ')[0]) && !line.includes('resumed>')).length / (depth * rounds);
}

testWith(...STRACE, NO_SANITIZER)(
  '32 reads of our client, as a batch and as promises, are a few sends, and replies a few receives',
  async () => {
    const { uri } = await serve(bench.keep(await open(memory({ size: MiB }), { mode: 'r+' })));
    const script = `
    const device = await open(new URL(args));
    const batch = device.createBatch({ depth: 32, arena: 32 * 512 });
    for (let i = 0; i < 32; i += 1) {
      batch.op[i] = rumpblk.BATCH_READ;
      batch.blkno[i] = i * 9;
      batch.bcount[i] = 512;
      batch.offset[i] = i * 512;
    }
    for (let round = 0; round < 8; round += 1) {
      mark('batch' + round);
      await batch.run(32);
      mark('promises' + round);
      await Promise.all(Array.from({ length: 32 }, (_, i) => device.read(Buffer.alloc(512), i * 4096)));
      mark('over' + round);
    }
    await device.close();
    report('done');`;
    const traced = await strace(script, { args: uri, calls: ['sendmsg', 'sendto', 'recvmsg', 'recvfrom'] });
    expect(traced).toMatchObject({ code: 0, reports: ['done'] });
    for (const phase of ['batch', 'promises']) {
      const moved = (name: RegExp, round: number): number[] =>
        traced
          .after(`${phase}${round}`)
          .filter((call) => name.test(call.name))
          .map(({ result }) => Number.parseInt(result, 10))
          .filter((bytes) => bytes > 0);
      // The first request wakes the thread that sends, which may take it alone; what comes while it does goes together. A busy machine
      // may give that thread its turn behind each of them, but hardly in every round.
      for (const [name, bytes] of [
        [/^send/, 32 * 28],
        [/^recv/, 32 * (20 + 8 + 512)],
      ] as const) {
        const rounds = Array.from({ length: 8 }, (_, round) => moved(name, round));
        for (const calls of rounds) expect(calls.reduce((sum, one) => sum + one, 0)).toBe(bytes);
        expect(Math.min(...rounds.map((calls) => calls.length))).toBeLessThanOrEqual(10);
      }
    }
  },
);

testWith(...STRACE, NO_SANITIZER)(
  'a read that comes with 31 others costs less than 0.3 system calls from a mapping, 1.3 by pread',
  async () => {
    expect(await callsARead('auto')).toBeLessThanOrEqual(0.3);
    expect(await callsARead('pio')).toBeLessThanOrEqual(1.3);
  },
);
