// rumpblk serve: from the command line, to the programs of libnbd and QEMU.
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterEach, expect, test } from '@jest/globals';
import { cli, TOOL, type Finished } from '../support/cli';
import { COMMAND, OPTION, named, WireClient } from '../support/nbd-wire';
import { peer, testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const content = pattern(2 * MiB);
const NBDINFO = peer('nbdinfo', 'libnbd-bin');
const NBDCOPY = peer('nbdcopy', 'libnbd-bin');
const QEMU_IO = peer('qemu-io', 'qemu-utils');
const sfdisk = peer('sfdisk', 'fdisk');
const say = promisify(execFile);
let sockets = 0;
const fresh = (): string => bench.path(`cli${++sockets}.sock`);
const uriOf = (socket: string, name = ''): string => `nbd+unix:///${name}?socket=${socket}`;

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Running {
  /** The URI of what it serves, once it does. */
  uri: Promise<string>;
  stop(signal?: NodeJS.Signals): void;
  ended: Promise<Finished>;
}

/** Starts the command, and waits for nothing. */
function start(...args: string[]): Running {
  let stop: (signal: NodeJS.Signals) => void = () => undefined;
  let serves: (uri: string) => void = () => undefined;
  const uri = new Promise<string>((resolve) => (serves = resolve));
  const ended = cli(['serve', ...args], {
    watch: (text, kill) => {
      stop = kill;
      const [, found] = /serving (\S+)/.exec(text) ?? [];
      if (found !== undefined) serves(found);
    },
  });
  return { uri, ended, stop: (signal = 'SIGTERM') => stop(signal) };
}

testWith(NBDINFO, NBDCOPY)('serves an image read-only until SIGTERM or SIGINT, and ends with 0 and without a path', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const [image, socket] = [bench.image(content), fresh()];
    const running = start(image, '--socket', socket);
    expect(new URL(await running.uri).searchParams.get('socket')).toBe(socket);
    expect((await say('nbdinfo', ['--size', uriOf(socket)])).stdout).toBe(`${2 * MiB}\n`);
    expect((await say('nbdinfo', ['--is', 'read-only', uriOf(socket)])).stderr).toBe('');
    const out = bench.path('out');
    await say('nbdcopy', [uriOf(socket), out]);
    expect(readFileSync(out).equals(content)).toBe(true);
    await expect(say('nbdcopy', ['/dev/null', uriOf(socket)])).rejects.toThrow();
    running.stop(signal);
    expect(await running.ended).toMatchObject({ status: 0, signal: null });
    expect(existsSync(socket)).toBe(false);
  }
});

testWith(NBDINFO, QEMU_IO)('several exports, writable; an overlay forgets, the image is untouched', async () => {
  const [image, socket] = [bench.image(content), fresh()];
  const running = start('--export', `disk=${image}`, '--export', 'scratch=memory:1M', '-w', '--socket', socket);
  await running.uri;
  const { stdout } = await say('nbdinfo', ['--list', '--json', uriOf(socket)]);
  const { exports } = JSON.parse(stdout) as { exports: Record<string, unknown>[] };
  expect(exports.map((each) => each['export-name'])).toEqual(['disk', 'scratch']);
  await say('qemu-io', ['-f', 'raw', '-c', 'write -P 7 64k 64k', uriOf(socket, 'disk')]);
  running.stop();
  expect((await running.ended).status).toBe(0);
  expect(
    readFileSync(image)
      .subarray(65_536, 131_072)
      .every((byte) => byte === 7),
  ).toBe(true);

  const [base, other] = [bench.image(content), fresh()];
  const over = start(base, '--overlay', '--socket', other);
  await over.uri;
  const said = await say('qemu-io', ['-f', 'raw', '-c', 'write -P 7 64k 64k', '-c', 'flush', '-c', 'read -P 7 64k 64k', uriOf(other)]);
  expect(said.stdout).toContain('read 65536/65536 bytes');
  over.stop();
  expect((await over.ended).status).toBe(0);
  expect(readFileSync(base).equals(content)).toBe(true);
});

testWith(
  NBDINFO,
  QEMU_IO,
  peer('qemu-img', 'qemu-utils'),
)('bitmaps that an image keeps, and goes on to keep', async () => {
  const [image, socket] = [bench.path('kept.qcow2'), fresh()];
  await say('qemu-img', ['create', '-q', '-f', 'qcow2', image, '8M']);
  for (const name of ['daily', 'weekly']) await say('qemu-img', ['bitmap', '--add', image, name]);
  await say('qemu-img', ['bitmap', '--clear', image, 'daily']);
  await say('qemu-io', ['-f', 'qcow2', '-c', 'write 1M 4k', image]);
  const running = start(image, '--format', 'qcow2', '--bitmap', 'daily', '--bitmap', 'weekly', '--socket', socket);
  await running.uri;
  expect((await say('nbdinfo', ['--is', 'read-only', uriOf(socket)])).stderr).toBe('');
  for (const name of ['daily', 'weekly']) {
    const { stdout } = await say('nbdinfo', [`--map=qemu:dirty-bitmap:${name}`, '--totals', uriOf(socket)]);
    expect(stdout.match(/^ *(\d+) .* 1 dirty$/m)?.[1]).toBe('65536');
  }
  running.stop();
  expect((await running.ended).status).toBe(0);
  expect((await say('qemu-img', ['info', image])).stdout).not.toContain('in-use');
  for (const [args, why] of [
    [['--bitmap', 'none', '--format', 'qcow2'], "keeps no bitmap 'none'"],
    [['--bitmap', 'daily', '--overlay', '--format', 'qcow2'], 'not with --overlay'],
    [['--bitmap', 'daily'], "keeps no bitmap 'daily'"],
  ] as const) {
    expect(await cli(['serve', image, '--socket', fresh(), ...args])).toMatchObject({ status: 2, stderr: expect.stringContaining(why) });
  }
});

testWith(NBDINFO, sfdisk)('a partition, and one of an overlay', async () => {
  const image = bench.sparse(8 * MiB);
  expect(spawnSync('sfdisk', [image], { input: 'label: gpt\nsize=2MiB\nsize=1MiB\n' }).status).toBe(0);
  for (const more of [[], ['--overlay']]) {
    const socket = fresh();
    const running = start(image, '--partition', '2', '--socket', socket, ...more);
    await running.uri;
    expect((await say('nbdinfo', ['--size', uriOf(socket)])).stdout).toBe(`${MiB}\n`);
    running.stop();
    expect((await running.ended).status).toBe(0);
  }
});

testWith(NBDINFO)('--fork: returns when it listens, leaves a daemon that holds nothing of it, and says why it cannot', async () => {
  const [image, socket, pidFile] = [bench.image(content), fresh(), bench.path('pid')];
  // A pipe that is read to its end: whoever keeps it open is waited for.
  const forked = await cli(['serve', image, '--socket', socket, '--fork', '--pid-file', pidFile]);
  expect([forked.status, forked.stdout.toString(), forked.stderr]).toEqual([0, '', expect.stringContaining('serving nbd+unix:')]);
  const pid = Number(readFileSync(pidFile, 'utf8'));
  try {
    expect((await say('nbdinfo', ['--size', uriOf(socket)])).stdout).toBe(`${2 * MiB}\n`);
    const again = await cli(['serve', image, '--socket', socket, '--fork']);
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining('EADDRINUSE')]);
    expect((await cli(['serve', bench.path('none'), '--socket', fresh(), '--fork'])).status).toBe(1);
  } finally {
    process.kill(pid, 'SIGTERM');
  }
  while (existsSync(socket) || existsSync(pidFile)) await new Promise(setImmediate);
});

testWith(NBDINFO)('socket activation, as libnbd starts a server; not what is for another process', async () => {
  const image = bench.image(content);
  const { stdout } = await say('nbdinfo', ['--size', '--', '[', process.execPath, TOOL, 'serve', image, ']']);
  expect(stdout).toBe(`${2 * MiB}\n`);
  const ended = await cli(['serve', image], { env: { ...process.env, LISTEN_FDS: '1', LISTEN_PID: '1' } });
  expect([ended.status, ended.stderr]).toEqual([2, expect.stringContaining('--socket PATH')]);
});

test('--stdio: the one client that stdin is, and the end with it', async () => {
  const socket = fresh();
  // Node gives a child no socket of its own making: a listening program hands over what connects.
  const server = spawn(
    process.execPath,
    [
      '-e',
      `const net = require('node:net');
       const { spawn } = require('node:child_process');
       net.createServer((client) => {
         const child = spawn(process.execPath, [process.argv[1], 'serve', process.argv[2], '--stdio'], { stdio: [client, client, 'inherit'] });
         client.destroy();
         child.on('exit', (code) => { console.log('exit', code); process.exit(); });
       }).listen(process.argv[3], () => console.log('ready'));`,
      TOOL,
      bench.image(content),
      socket,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  children.push(server);
  let said = '';
  server.stdout.on('data', (text) => (said += String(text)));
  while (!said.includes('ready')) await new Promise(setImmediate);
  const client = await WireClient.greeted(socket);
  await client.ask(OPTION.go, named(''));
  expect((await client.do({ command: COMMAND.read, offset: 512, length: 8 })).data).toEqual(content.subarray(512, 520));
  client.close();
  while (!said.includes('exit')) await new Promise(setImmediate);
  expect(said).toBe('ready\nexit 0\n');
});

test('what makes no sense is refused before anything listens', async () => {
  const image = bench.image(content);
  const refused: [string[], number, string][] = [
    [[], 2, 'no image'],
    [[image], 2, '--socket PATH'],
    [[image, '--socket', fresh(), '--stdio'], 2, 'exclude'],
    [[image, '--stdio', '--fork'], 2, '--fork needs'],
    [[image, '--listen', '70000'], 2, 'port'],
    [[image, '--listen', '0.0.0.0:0'], 2, '--allow-remote'],
    [[image, image, '--listen', '0'], 2, 'two exports'],
    [[image, '--listen', '0', '--max-connections', '0'], 2, 'whole number'],
    [['--export', image, '--listen', '0'], 2, 'disk=disk.img'],
    [[image, '--overlay', '--offset', '512', '--listen', '0'], 2, '--overlay is of all'],
    [[image, '--overlay', '--sector-size', '4096', '--listen', '0'], 2, 'not with --sector-size'],
    [[image, '--overlay', '--no-lock', '--listen', '0'], 2, 'not with --no-lock'],
    [[image, '--overlay', '--access', 'pio', '--listen', '0'], 2, 'not with --access'],
    [[image, '--overlay', '--writable', '--listen', '0'], 2, 'give one of them'],
    [[image, '--allow-remote', '--socket', fresh()], 2, '--allow-remote needs'],
    [[image, '--max-connections', '2', '--stdio'], 2, 'not with --max-connections'],
    [[bench.path('none'), '--listen', '0'], 1, 'ENOENT'],
    [[image, '--socket', bench.path('no/such')], 1, 'ENOENT'],
    [[image, '--socket', `/tmp/${'x'.repeat(120)}`], 1, 'ENAMETOOLONG'],
  ];
  const ended = await Promise.all(refused.map(([args]) => cli(['serve', ...args])));
  for (const [i, { status, stderr }] of ended.entries()) {
    const [args, wanted, words] = refused[i]!;
    expect([args, status, stderr]).toEqual([args, wanted, expect.stringContaining(words)]);
  }
});
