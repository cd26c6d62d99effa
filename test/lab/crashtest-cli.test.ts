// The command crashtest: recordings and images, exit statuses, reports, and its page in a browser.
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { openSync } from 'rumpblk';
import { recordWrites } from 'rumpblk/lab';
import { memory } from 'rumpblk/media';
import { CHROMIUM, launch, openFile } from '../support/browser';
import { cli, documentOf } from '../support/cli';
import { peer, testWith } from '../support/peers';
import { rig } from '../support/rig';

jest.setTimeout(60_000);
const bench = rig();
let browser: Browser | undefined;

afterAll(() => browser?.close());

/** A record, its flush where there is one, and what says that it is there. */
async function recording(isFlushed: boolean, format?: 'dm-log-writes'): Promise<string> {
  const device = bench.keep(openSync(memory({ size: 8192, name: 'disk <1>' }), { mode: 'r+' }));
  using recorder = recordWrites(device);
  device.writeSync(Buffer.alloc(512, 'record'), 512);
  if (isFlushed) device.flushSync();
  device.writeSync(Buffer.alloc(512, 'commit'), 0);
  device.flushSync();
  recorder.mark('done');
  recorder.stop();
  const file = bench.path(`log-${process.hrtime.bigint()}`);
  await recorder.save(file, format === undefined ? {} : { format });
  return file;
}

/** Fails where there is a commit without the record. */
const CHECK = ['sh', '-c', 'if head -c 6 "$0" | grep -q commit; then head -c 518 "$0" | tail -c 6 | grep -q record; fi', '{}'];

describe('crashtest', () => {
  test('accepts a recording of which every state is accepted', async () => {
    const { status, stdout, stderr } = await cli(['crashtest', await recording(true), '--seed', '1', '--', ...CHECK]);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout.toString()).toMatch(/^\d+ states of \d+ cuts of 4 requests, all there are /);
  });

  test('exits with 1 and the report of a failure, and gives that state again', async () => {
    const log = await recording(false);
    const { status, stdout } = await cli(['crashtest', log, '--', ...CHECK]);
    expect(status).toBe(1);
    expect(stdout.toString()).toMatch(/^after a power cut: status 1\n\nlost 1 request\n {2}#0 sector 1\nkept 1 request\n {2}#1 sector 0\n/);
    const token = /RUMPBLK_CRASH_TOKEN=(\S+)/.exec(stdout.toString())?.[1] ?? '';
    const again = await cli(['crashtest', log, '--token', token, '--json', '--', ...CHECK]);
    expect([again.status, documentOf(again)]).toEqual([
      1,
      expect.objectContaining({ checked: 1, failures: [expect.objectContaining({ token })] }),
    ]);
    // Any exit status can be one that accepts.
    expect((await cli(['crashtest', log, '--ok', '0,1', '--', ...CHECK])).status).toBe(0);
  });

  test('reads logs of dm-log-writes, over a base', async () => {
    const log = await recording(false, 'dm-log-writes');
    const base = bench.image(Buffer.alloc(8192, 7));
    const check = ['sh', '-c', 'test "$(tail -c 1 "$0" | od -An -tu1 | tr -d " ")" = 7', '{}'];
    expect((await cli(['crashtest', log, '--base', base, '--', ...check])).status).toBe(0);
    expect((await cli(['crashtest', log, '--', ...check])).status).toBe(1);
  });

  test('--crash process keeps all that was acknowledged', async () => {
    const log = await recording(false);
    expect((await cli(['crashtest', log, '--crash', 'process', '--', ...CHECK])).status).toBe(0);
    expect((await cli(['crashtest', log, '--crash', 'power', '--', ...CHECK])).status).toBe(1);
  });

  test('--discard any and --collateral give what a disk may do beside the rest', async () => {
    const device = bench.keep(openSync(memory({ size: 2048 }), { mode: 'r+' }));
    for (let at = 0; at < 2048; at += 512) device.writeSync(Buffer.alloc(512, 'a'), at);
    using recorder = recordWrites(device);
    device.discardSync(1536, 512);
    device.flushSync();
    device.writeSync(Buffer.alloc(100, 'b'), 512 + 50);
    recorder.stop();
    const log = bench.path('may.log');
    await recorder.save(log);
    /** Accepts a state whose sector has a's and zeros alone. */
    const status = async (sector: number, ...options: string[]): Promise<number | null> => {
      const check = ['sh', '-c', `test "$(dd if="$0" bs=512 skip=${sector} count=1 status=none | tr -d 'a\\000' | wc -c)" = 0`, '{}'];
      return (await cli(['crashtest', log, '--samples', '64', ...options, '--', ...check])).status;
    };
    expect([await status(3), await status(3, '--discard', 'any')]).toEqual([0, 1]);
    expect([await status(0), await status(0, '--collateral')]).toEqual([0, 1]);
    expect(await status(0, '--lost-run', '64k')).toBe(0);
  });

  testWith(peer('qemu-io', 'qemu-utils'))('records a command on an overlay over an image, which stays as it is', async () => {
    const image = bench.image(Buffer.alloc(65536, 1));
    const run = (flush: string): string =>
      `qemu-io -f raw -t writeback -c 'write -P 2 512 512' ${flush} -c 'write -P 3 0 512' -c flush '{}'`;
    const check = [
      'sh',
      '-c',
      'if test "$(head -c 1 "$0" | od -An -tu1 | tr -d " ")" = 3; then test "$(head -c 513 "$0" | tail -c 1 | od -An -tu1 | tr -d " ")" = 2; fi',
      '{}',
    ];
    expect(await cli(['crashtest', image, '--run', run('-c flush'), '--', ...check])).toMatchObject({ status: 0 });
    expect((await cli(['crashtest', image, '--run', run(''), '--', ...check])).status).toBe(1);
    expect(readFileSync(image)).toEqual(Buffer.alloc(65536, 1));
    expect((await cli(['crashtest', image, '--run', 'exit 3', '--', ...check])).status).toBe(2);
  });

  test('exits with 2 where nothing can be said', async () => {
    const log = await recording(true);
    const ended = async (...args: string[]): Promise<[number | null, string]> => {
      const { status, stderr } = await cli(['crashtest', ...args]);
      return [status, stderr];
    };
    expect(await ended(log, '--', 'true')).toEqual([2, expect.stringContaining('COMMAND has no {}')]);
    expect(await ended(log, '--', '/nowhere/program', '{}')).toEqual([2, expect.stringContaining('/nowhere/program')]);
    expect(await ended(log, '--', 'true', '{3}')).toEqual([2, expect.stringContaining('1 disks')]);
    expect(await ended(bench.path('nothing'), '--', 'true', '{}')).toEqual([2, expect.stringContaining('ENOENT')]);
    expect(await ended(bench.image(Buffer.alloc(512)), '--', 'true', '{}')).toEqual([2, expect.stringContaining('EINVAL')]);
    expect(await ended(log, '--tear', 'half', '--', 'true', '{}')).toEqual([2, expect.stringContaining('half')]);
    expect(await ended(log, '--token', 'rbl1.00000000.1.', '--', 'true', '{}')).toEqual([2, expect.stringMatching(/ESTALE|EINVAL/)]);
    const other = bench.path('other.txt');
    writeFileSync(other, 'not a page');
    expect(await ended(log, '--html', other, '--', 'true', '{}')).toEqual([2, expect.stringContaining('is no page')]);
  });
});

testWith(CHROMIUM)('--html writes one page that shows requests, cuts and failures, and asks for nothing', async () => {
  const file = bench.path('page.html');
  expect((await cli(['crashtest', await recording(false), '--html', file, '--failures', '5', '--', ...CHECK])).status).toBe(1);
  browser = await launch();
  for (const [width, scheme] of [
    [1280, 'light'],
    [400, 'dark'],
  ] as const) {
    const view = await openFile(browser, file, width, scheme);
    expect([view.requests, view.messages]).toEqual([[], []]);
    const count = (selector: string): Promise<number> => view.page.locator(selector).count();
    expect([await count('rect.write'), await count('path.flush'), await count('path.mark')]).toEqual([2, 1, 1]);
    expect([await count('rect.lost'), await count('rect.kept'), await count('path.power')]).toEqual([1, 1, 1]);
    expect(await count('rect.failed')).toBeGreaterThan(0);
    expect(await view.page.locator('section.failure').first().innerText()).toContain('#0 sector 1');
    expect(await view.page.locator('svg text').first().innerHTML()).toBe('disk &lt;1&gt;');
    // Nothing is wider than the window but the picture, which scrolls.
    const [wide, window] = await view.page.evaluate<[number, number]>('[document.documentElement.scrollWidth, innerWidth]');
    expect(wide).toBeLessThanOrEqual(window);
    await view.page.close();
  }
});
