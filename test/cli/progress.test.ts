// Progress and the summary at the end: on a terminal from the first second on, in a log with --progress, nowhere with --quiet.
import { closeSync, existsSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { cli, TOOL } from '../support/cli';
import { peer, run, testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SCRIPT = peer('script', 'bsdutils');
const QEMU = peer('qemu-img', 'qemu-utils');
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

describe('without a terminal', () => {
  test('nothing is said unless it is asked for', async () => {
    const image = bench.image(pattern(MiB));
    for (const args of [
      ['copy', image, bench.path('silent')],
      ['read', image, '-o', bench.path('silent')],
    ])
      expect(await cli(args)).toMatchObject({ status: 0, stderr: '' });
  });

  test.each([
    ['copy', (file: string) => ['copy', file, bench.path('copied')], 'copying', '4 MiB'],
    ['read', (file: string) => ['read', file, '-o', bench.path('out')], 'reading', '4 MiB'],
    ['write', (file: string) => ['write', file, '-i', bench.image(pattern(2 * MiB))], 'writing', '2 MiB'],
    ['compare', (file: string) => ['compare', file, file], 'comparing', '4 MiB'],
    ['map', (file: string) => ['map', file, '-o', bench.path('list')], 'listing', '4 MiB'],
    ['map --bmap', (file: string) => ['map', file, '--bmap', '-o', bench.path('bmap')], 'reading', '4 MiB'],
    ['zero', (file: string) => ['zero', file, '-p', '0', '-l', '2M'], 'zeroing', '2 MiB'],
    ['discard', (file: string) => ['discard', file, '-p', '1M', '-l', '3M'], 'discarding', '3 MiB'],
  ])('%s --progress says lines and a summary on stderr', async (_, argsOf, phase, amount) => {
    const { status, stderr } = await cli([...argsOf(bench.image(pattern(4 * MiB))), '--progress']);
    expect(status).toBe(0);
    expect(stderr).toMatch(new RegExp(`^rumpblk: ${phase}: `));
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(new RegExp(`^rumpblk: ${amount} in [\\d.]+ s`));
    expect(stderr).not.toContain('\u001b');
  });

  test('the summary tells the share of holes', async () => {
    const { stderr } = await cli(['copy', 'null:1G', bench.path('holes'), '--progress']);
    expect(stderr).toMatch(/^rumpblk: 1 GiB in [\d.]+ s, 100 % holes$/m);
  });

  testWith(QEMU)('overlays have it', async () => {
    const base = bench.image(pattern(MiB));
    const overlay = bench.path('overlay.qcow2');
    expect((await cli(['overlay', 'create', overlay, '-b', base])).status).toBe(0);
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P 7 0 64k', overlay);
    for (const [command, ...rest] of [['diff'], ['rebase', '-b', base], ['commit']]) {
      const { status, stderr } = await cli(['overlay', command as string, overlay, ...rest, '--progress']);
      expect([status, stderr]).toEqual([0, expect.stringMatching(/^rumpblk: .* in [\d.]+ s/m)]);
    }
  });
});

/** Runs the tool on a terminal of 40 columns, which sees what it says. */
function onTerminal(args: readonly string[], saw: (text: string) => void): Promise<{ status: number | null; text: string }> {
  const line = `stty cols 40 rows 24; ${[process.execPath, TOOL, ...args].map(quote).join(' ')}`;
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (data: Buffer) => {
    text += data.toString();
    saw(text);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, text }));
  });
}

/** Holds a pipe open from which a command reads, so that it goes on as long as the test wants. */
function slowInput(): { readonly fifo: string; feed(): void; end(): void } {
  const fifo = bench.path('fifo');
  run('mkfifo', fifo);
  // Opened for both, so that neither side waits for the other.
  const descriptor = openSync(fifo, 'r+');
  return {
    fifo,
    feed: () => void writeSync(descriptor, Buffer.alloc(32 * 1024)),
    end: () => closeSync(descriptor),
  };
}

describe('on a terminal', () => {
  testWith(SCRIPT)('a bar comes by itself while the work lasts, fits its columns, and is gone before the summary', async () => {
    const { fifo, feed, end } = slowInput();
    feed();
    let isFed = false;
    const file = bench.image(Buffer.alloc(MiB));
    const { status, text } = await onTerminal(['write', file, '-i', fifo], (seen) => {
      // The last bytes come when there is a bar, which is after a second.
      if (isFed || !seen.includes('writing, ')) return;
      isFed = true;
      feed();
      end();
    });
    expect([status, isFed]).toEqual([0, true]);
    const frames = text.split('\r\u001b[K');
    expect(frames.length).toBeGreaterThan(1);
    for (const frame of frames.slice(0, -1)) expect(frame.length).toBeLessThan(40);
    expect(frames.at(-1)).not.toContain('writing');
  });

  testWith(SCRIPT)('--quiet shows nothing', async () => {
    const image = bench.image(pattern(MiB));
    const { status, text } = await onTerminal(['copy', image, bench.path('quiet'), '--quiet'], () => undefined);
    expect([status, text]).toEqual([0, '']);
  });
});

describe('a signal', () => {
  /** Ends a command when it has said what it does. */
  async function interrupted(args: readonly string[]): Promise<{ signal: NodeJS.Signals | null; stderr: string }> {
    let isKilled = false;
    const { signal, stderr } = await cli(args, {
      watch: (text, kill) => {
        if (isKilled || !/: (?:\d+ %, )?[1-9]/.test(text)) return;
        isKilled = true;
        kill('SIGINT');
      },
    });
    return { signal, stderr };
  }

  test('copy says that the file it made was removed', async () => {
    const target = bench.path('copy.img');
    const { signal, stderr } = await interrupted(['copy', 'null:1T', target, '--sparse', 'off', '--progress']);
    expect([signal, stderr]).toEqual(['SIGINT', expect.stringMatching(/^rumpblk: interrupted after .* of 1 TiB: '.*\.img' was removed$/m)]);
    expect(existsSync(target)).toBe(false);
  });

  test('a target that was there is said to have a part', async () => {
    const target = bench.path('was-there.img');
    writeFileSync(target, 'x');
    const { signal, stderr } = await interrupted(['copy', 'null:1T', target, '--sparse', 'off', '--progress']);
    expect([signal, stderr]).toEqual(['SIGINT', expect.stringMatching(/^rumpblk: interrupted after .* of 1 TiB: '.*' has a part of it$/m)]);
  });
});
