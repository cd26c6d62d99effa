// Issue 13, item 11: a medium that does not answer holds up the devices that share its workers, and no others.
import { readdirSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { open, openSync } from 'rumpblk';
import { reportsFrom } from '../support/child';
import { failure, refusal } from '../support/failure';
import { testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';
import { STRACE } from '../support/strace';

const bench = rig();

testWith(...STRACE)('an isolated device answers while another medium does not', async () => {
  const script = `
    const order = [];
    const note = (name) => () => order.push(name);
    // One worker, so that the order in which it takes them is the order in which they were asked for.
    const shared = { driver: new BlockDriver({ workers: 1 }) };
    const slow = await open(args.slow, { access: 'pio', mode: 'r+', ...shared });
    const waiting = Array.from({ length: 3 }, (_, i) => slow.write(Buffer.alloc(512), i * 512).then(note('slow')));
    const fast = await open(args.fast, { access: 'pio', mode: 'r+', ...(args.isolated ? { isolated: true } : shared) });
    await fast.write(Buffer.alloc(512), 0).then(note('fast'));
    await fast.close();
    await Promise.all(waiting);
    await slow.close();
    report(order);`;
  const slow = bench.image(pattern(MiB));
  const under = ['strace', '-f', '-o', '/dev/null', '-P', slow, '-e', 'inject=pwrite64:delay_enter=1s', '--'];
  const args = { slow, fast: bench.image(pattern(MiB)) };
  const [apart] = await reportsFrom(script, { args: { ...args, isolated: true }, under });
  expect(apart).toEqual(['fast', 'slow', 'slow', 'slow']);
  const [together] = await reportsFrom(script, { args: { ...args, isolated: false }, under });
  expect(together[0]).toBe('slow');
});

test('its driver is its own, and ends with it', async () => {
  const file = bench.image(pattern(MiB));
  const threads = (): number => readdirSync('/proc/self/task').length;
  const shared = await open(file);
  const before = threads();
  for (let i = 0; i < 8; i += 1) {
    const device = await open(file, { isolated: true });
    expect(device.driver).not.toBe(shared.driver);
    await device.close();
    openSync(file, { isolated: true }).closeSync();
  }
  expect(threads()).toBeLessThan(before + 4);
  await shared.close();
});

test('a driver that is given, and a minor of one, are refused', async () => {
  const file = bench.image(pattern(MiB));
  const driver = bench.driver();
  expect(await refusal(() => open(file, { isolated: true, driver }))).toBe('ERR_INVALID_ARG_VALUE');
  expect(await refusal(() => driver.open(driver.registerSync(file), { isolated: true } as never))).toBe('ERR_INVALID_ARG_VALUE');
  expect(await refusal(() => open(file, { isolated: 1 as never }))).toBe('ERR_INVALID_ARG_TYPE');
  await failure(() => open(bench.path('nowhere'), { isolated: true }), 'ENOENT');
});
