// Fault plans: what is accepted, what each action does to a device of each kind, and the log of it.
// Over 300 lines: one list of what plans do and refuse.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { BlockDriver, planFromLog, type BlockDevice, type FaultAction, type FaultPlan, type FaultRule } from 'rumpblk';
import { ROOT } from '../support/child';
import { failure, thrownBy } from '../support/failure';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 256 * KiB;
const before = pattern(SIZE, 1);
const after = pattern(SIZE, 2);

function sectorsChanged(device: BlockDevice): number[] {
  const now = bench.bytes(device);
  return [...Array(SIZE / 512).keys()].filter((sector) => !sectorOf(now, sector).equals(sectorOf(before, sector)));
}
function sectorOf(bytes: Buffer, sector: number): Buffer {
  return bytes.subarray(sector * 512, sector * 512 + 512);
}
function part(bytes: Buffer, sector: number, sectors: number): Buffer {
  return bytes.subarray(sector * 512, (sector + sectors) * 512);
}

/** A mix of requests, by every form, that a plan can act on, one by one or all at once; what each came to. */
async function workload(device: BlockDevice, form: 'one by one' | 'at once'): Promise<string[]> {
  const outcomes: Promise<string>[] = [];
  const note = async (what: Promise<unknown>): Promise<void> => {
    const outcome = what.then(String, (error: unknown) => (error as { code: string }).code);
    outcomes.push(outcome);
    if (form === 'one by one') await outcome;
  };
  for (let i = 0; i < 200; i += 1) {
    const at = ((i * 37) % 500) * 512;
    if (i % 5 === 4) await note(device.flush());
    else if (i % 3 === 0) await note(device.read(Buffer.alloc(4 * KiB), at).then(({ bytesRead }) => bytesRead));
    else if (i % 11 === 0) await note(device.writeZeroes(at, 512).then(({ bytesWritten }) => bytesWritten));
    else await note(device.write(after.subarray(at, at + 4 * KiB), at).then(({ bytesWritten }) => bytesWritten));
  }
  const batch = device.createBatch({ depth: 8 });
  for (let i = 0; i < 8; i += 1) [batch.op[i], batch.blkno[i], batch.bcount[i], batch.offset[i]] = [i % 2, i * 3, 512, i * 512];
  await note(batch.run(8).then((succeeded) => [succeeded, ...batch.error]));
  const settled = await Promise.all(outcomes);
  batch[Symbol.dispose]();
  return settled;
}

const MIXED: FaultPlan = {
  seed: 7,
  rules: [
    { match: { op: 'read', probability: 0.2 }, action: { errno: 'EIO' } },
    { match: { op: 'write', every: 7 }, action: { tear: 'subset' } },
    { match: { op: 'write', probability: 0.1 }, action: { corrupt: 'flip', bits: 3 } },
    { match: { op: 'write', probability: 0.1 }, action: { drop: true } },
    { match: { op: 'write', probability: 0.1 }, action: { corrupt: 'misdirect' } },
    { match: { op: ['read', 'write'], probability: 0.1 }, action: { short: 1024 } },
    { match: { op: 'flush', after: 10, times: 1 }, action: { enter: 'late' } },
    { match: { op: 'flush', state: 'late', times: 1, after: 5 }, action: { errno: 'EIO', keep: true } },
    { match: { op: 'read', state: 'late', times: 2 }, action: { badUntilWritten: true } },
    { match: { probability: 0.1 }, action: { generator: 'rumpblk-1.31', rate: 500 } },
  ],
};

describe('what a plan does', () => {
  const cases: [name: string, action: FaultAction, request: 'read' | 'write', outcome: unknown, changed: number[]][] = [
    ['errno', { errno: 'ENOSPC' }, 'write', 'ENOSPC', []],
    ['short', { short: 1024 }, 'write', 1024, [8, 9]],
    ['tear prefix', { tear: 'prefix', sectors: 3 }, 'write', 2048, [8, 9, 10]],
    ['tear suffix', { tear: 'suffix', sectors: 1 }, 'write', 2048, [11]],
    ['drop', { drop: true }, 'write', 2048, []],
    ['misdirect', { corrupt: 'misdirect', to: 100 }, 'write', 2048, [100, 101, 102, 103]],
    ['budget', { budget: 512 }, 'write', 'ENOSPC', [8]],
    ['bad', { badUntilWritten: true }, 'read', 'EIO', []],
    ['generator', { generator: 'rumpblk-1.31', rate: 10000 }, 'write', 'EIO', []],
  ];
  const grounds = bench.grounds.flatMap(({ name, disk, access }) =>
    ['sync', 'promise'].flatMap((form) => cases.map(([title, ...rest]) => ({ name, disk, access, form, title, rest }))),
  );

  test.each(grounds)('$title, $form, on $name', async ({ disk, access, form, rest: [action, request, outcome, changed] }) => {
    const device = bench.device(disk(before), { mode: 'r+', access });
    device.driver.faults.plan({ rules: [{ match: { op: request, sectors: [0, 50] }, action }] });
    const run = async (sector: number): Promise<unknown> => {
      const data = request === 'write' ? Buffer.from(part(after, sector, 4)) : Buffer.alloc(2048);
      try {
        if (form === 'sync') return request === 'write' ? device.writeSync(data, sector * 512) : device.readSync(data, sector * 512);
        if (request === 'write') return (await device.write(data, sector * 512)).bytesWritten;
        return (await device.read(data, sector * 512)).bytesRead;
      } catch (error) {
        expect(error).toMatchObject({ injected: true });
        return (error as { code: string }).code;
      }
    };
    expect(await run(8)).toBe(outcome);
    expect(sectorsChanged(device)).toEqual(changed);
    expect(device.driver.faults.log()).toHaveLength(1);
    expect(device.driver.counters().faultsInjected).toBe(1);
    // Outside of the range of the rule nothing happens.
    expect(await run(60)).toBe(2048);
    expect(device.driver.faults.log()).toHaveLength(1);
    device.driver.faults.clear();
    expect(await run(8)).toBe(2048);
  });

  test.each(bench.grounds)('a flush that fails loses what it would have covered, on $name', async ({ disk, access }) => {
    const device = bench.device(disk(before), { mode: 'r+', access });
    device.driver.faults.plan({ rules: [{ match: { op: 'flush', after: 1, times: 1 }, action: { errno: 'EIO' } }] });
    await device.write(part(after, 0, 4), 0);
    await device.flush();
    await device.write(part(after, 2, 4), 1024);
    const error = await failure(() => device.flush());
    expect(error).toMatchObject({ code: 'EIO', syscall: 'flush', injected: true, lost: { position: 1024, length: 2048 } });
    expect(sectorsChanged(device)).toEqual([0, 1, 2, 3]);
    await expect(device.flush()).rejects.toMatchObject({ code: 'EIO' });
    await expect(device.close()).rejects.toMatchObject({ code: 'EIO' });
  });

  test('open and map', async () => {
    const driver = bench.driver();
    const minor = driver.registerSync(bench.image(before));
    driver.faults.plan({
      rules: [
        { match: { op: 'open', times: 2 }, action: { errno: 'EACCES' } },
        { match: { op: 'map', times: 1 }, action: { errno: 'ENOMEM' } },
      ],
    });
    expect(await thrownBy(() => driver.openSync(minor))).toMatchObject({ code: 'EACCES', injected: true });
    await expect(driver.open(minor)).rejects.toMatchObject({ code: 'EACCES', injected: true });
    const device = bench.keep(await driver.open(minor, { mode: 'r+', access: 'mmap' }));
    expect(await thrownBy(() => device.mapSync(0, 4096))).toMatchObject({ code: 'ENOMEM', injected: true });
    device.mapSync(0, 4096).release();
  });
});

describe('one order of calls gives one log', () => {
  async function logWith(
    workers: number,
    plan: FaultPlan,
    form: 'one by one' | 'at once' = 'at once',
  ): Promise<{ log: string; outcomes: string[]; bytes: Buffer }> {
    const device = bench.device(bench.image(before), { mode: 'r+' }, { workers });
    device.driver.faults.plan(plan);
    const outcomes = await workload(device, form);
    return { log: device.driver.faults.log('jsonl'), outcomes, bytes: bench.bytes(device) };
  }

  test('with 1, 2 and 8 workers', async () => {
    const one = await logWith(1, MIXED);
    expect(one.log.split('\n').length).toBeGreaterThan(40);
    for (const workers of [1, 2, 8]) {
      const { log, outcomes } = await logWith(workers, MIXED);
      expect(log).toBe(one.log);
      expect(outcomes).toEqual(one.outcomes);
    }
    expect((await logWith(1, { ...MIXED, seed: 8 })).log).not.toBe(one.log);
  });

  test('in two processes', async () => {
    const script = `
      const { BlockDriver } = require('rumpblk');
      const { nullMedium } = require('rumpblk/media');
      const driver = new BlockDriver({ faults: JSON.parse(process.env.PLAN) });
      const device = driver.openSync(driver.registerSync(nullMedium({ size: 262144 })), { mode: 'r+' });
      (async () => {
        const all = [];
        for (let i = 0; i < 300; i += 1) {
          const at = ((i * 37) % 500) * 512;
          all.push(i % 5 === 4 ? device.flush() : i % 3 === 0 ? device.read(Buffer.alloc(4096), at) : device.write(Buffer.alloc(4096), at));
        }
        await Promise.allSettled(all);
        require('node:fs').writeSync(1, driver.faults.log('jsonl'));
      })();`;
    const [one, other] = await Promise.all(
      [0, 1].map(() =>
        promisify(execFile)(process.execPath, ['-e', script], { cwd: ROOT, env: { ...process.env, PLAN: JSON.stringify(MIXED) } }),
      ),
    );
    expect(one?.stdout.split('\n').length).toBeGreaterThan(40);
    expect(other?.stdout).toBe(one?.stdout);
  });

  test('a plan made of a log does the same again', async () => {
    const first = await logWith(1, MIXED, 'one by one');
    const again = await logWith(1, planFromLog(first.log), 'one by one');
    expect(again.outcomes).toEqual(first.outcomes);
    expect(again.bytes.equals(first.bytes)).toBe(true);
    const events = first.log.trim().split('\n');
    expect(again.log.trim().split('\n')).toHaveLength(events.filter((line) => !line.includes('enter ')).length);
  });

  test('of a log of a plan that spares what flushes cover, that tears, and that leaves sectors alone', async () => {
    const plan: FaultPlan = {
      seed: 3,
      rules: [
        { match: { every: 11 }, action: { errno: 'EIO', keep: true } },
        // Of one sector nothing is torn, and so it is not counted there.
        { match: { op: 'write', every: 3 }, action: { tear: 'prefix' } },
        { match: { probability: 0.05 }, action: { generator: 'rumpblk-1.31', rate: 5000 } },
      ],
      allow: [[100, 140]],
    };
    const run = async (of: FaultPlan): Promise<{ log: string; outcomes: string[]; bytes: Buffer }> => {
      const device = bench.device(bench.image(before), { mode: 'r+' });
      device.driver.faults.plan(of);
      const outcomes: string[] = [];
      for (let i = 0; i < 300; i += 1) {
        const at = ((i * 37) % 520) * 512;
        const length = i % 2 === 0 ? 512 : 2048;
        const request = (): unknown =>
          i % 5 === 4
            ? device.flushSync()
            : i % 7 === 0
              ? device.readSync(Buffer.alloc(length), at)
              : device.writeSync(after, at, { length });
        try {
          outcomes.push(String(request()));
        } catch (error) {
          outcomes.push((error as { code: string }).code);
        }
      }
      return { log: device.driver.faults.log('jsonl'), outcomes, bytes: bench.bytes(device) };
    };
    const first = await run(plan);
    const actions = new Set(first.log.match(/"action":"\w+/g));
    expect([...actions].sort()).toEqual(['"action":"errno', '"action":"generator', '"action":"tear']);
    const again = await run({ ...planFromLog(first.log), allow: plan.allow! });
    expect(again.outcomes).toEqual(first.outcomes);
    expect(again.bytes.equals(first.bytes)).toBe(true);
    const places = (log: string): string[] => log.split('\n').map((line) => line.replace(/"rule":\d+|"action".*/g, ''));
    expect(places(again.log)).toEqual(places(first.log));
  });

  test('bytes are no log, whatever they are behind', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('{}'), new Float64Array(2), new Proxy(new Uint8Array(0), {})]) {
      expect(() => planFromLog(bytes as never)).toThrow(TypeError);
      expect(() => planFromLog(bytes as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    }
    expect(planFromLog(new Set())).toEqual({ seed: 0, rules: [] });
  });

  test('requests of one device do not move the draws of another', () => {
    const failing = (beside: boolean): number[] => {
      const driver = bench.driver();
      const [one, other] = [0, 1].map(() => bench.keep(driver.openSync(driver.registerSync(bench.image(before)))));
      driver.faults.plan({ seed: 3, rules: [{ match: { op: 'read', probability: 0.3 }, action: { errno: 'EIO' } }] });
      const fails = (device: BlockDevice | undefined): boolean => {
        try {
          return device?.readSync(Buffer.alloc(512), 0) === undefined;
        } catch {
          return true;
        }
      };
      return [...Array(100).keys()].filter(() => {
        if (beside) fails(other);
        return fails(one);
      });
    };
    expect(failing(true)).toEqual(failing(false));
  });
});

test('events are told to listeners, and no more to those that left', async () => {
  const device = bench.device(bench.image(before), { mode: 'r+' });
  const { faults } = device.driver;
  faults.plan({ rules: [{ match: { op: 'read' }, action: { errno: 'EIO' } }] });
  const told: string[] = [];
  const two = new Promise<void>((resolve) => {
    faults.on('fault', ({ n, action }) => {
      told.push(`${n} ${action}`);
      if (told.length === 2) resolve();
    });
  });
  const gone = (): void => void told.push('gone');
  faults.on('fault', gone).off('fault', gone);
  await expect(device.read(Buffer.alloc(512), 0)).rejects.toThrow(/injected read at byte 0 by the fault plan, seed \d+/);
  await expect(device.read(Buffer.alloc(512), 0)).rejects.toThrow('EIO');
  await two;
  expect(told).toEqual(['1 errno EIO', '2 errno EIO']);
});

test('an error of a plan says the seed that replays it, one of the generator its own', () => {
  const device = bench.device(bench.image(before), { mode: 'r+' });
  const { faults } = device.driver;
  const read = (): unknown => device.readSync(Buffer.alloc(512), 0);
  faults.set({ rate: 10000, seed: 5 });
  expect(read).toThrow(/at byte 0, seed 5\)$/);
  faults.clear();
  const { seed } = faults.plan({ rules: [{ match: { op: 'read' }, action: { errno: 'EIO' } }] });
  expect(read).toThrow(new RegExp(`by the fault plan, seed ${seed}\\)$`));
});

describe('what is refused, with its path', () => {
  const rule = (match: unknown, action: unknown = { errno: 'EIO' }): FaultPlan => ({ rules: [{ match, action } as FaultRule] });
  test.each<[plan: unknown, message: string]>([
    [{ rules: [{}, {}, { match: { secotrs: [0, 1] }, action: { drop: true } }] }, 'plan.rules[0].action'],
    [rule({ secotrs: [0, 1] }), 'plan.rules[0].match.secotrs'],
    [{ ruls: [] }, 'plan.ruls'],
    [{ rules: {} }, 'plan.rules'],
    [rule({ op: 'reed' }), 'plan.rules[0].match.op'],
    [rule({ op: 'read' }, { drop: true }), 'plan.rules[0].match.op'],
    [rule({ sectors: [5, 4] }), 'plan.rules[0].match.sectors[1]'],
    [rule({ probability: 2 }), 'plan.rules[0].match.probability'],
    [rule({}, { errno: 'EWHAT' }), 'plan.rules[0].action.errno'],
    [rule({}, { errno: 'EIO', drop: true }), 'plan.rules[0].action'],
    [rule({}, { drp: true }), 'plan.rules[0].action.drp'],
    [rule({}, { drop: false }), 'plan.rules[0].action.drop'],
    [rule({}, { stall: { every: 5, for: 6 } }), 'plan.rules[0].action.stall.for'],
    [rule({}, { corrupt: 'flip', to: 5 }), 'plan.rules[0].action.to'],
    [{ rules: [], clock: {} }, 'plan.clock'],
    [{ rules: [], seed: -1 }, 'plan.seed'],
  ])('%j', async (plan, message) => {
    const driver = bench.driver();
    const error = (await thrownBy(() => driver.faults.plan(plan as FaultPlan))) as Error & { code: string };
    expect(error.message).toContain(message);
    expect(error.code).toMatch(/^ERR_/);
  });

  test('RUMPBLK_FAULTS names a file', async () => {
    const file = bench.path('plan.json');
    expect(await thrownBy(() => BlockDriver.fromEnv({ RUMPBLK_FAULTS: file }))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  });
});
