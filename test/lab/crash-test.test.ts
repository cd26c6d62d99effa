// crashTest, crashCheck, flushMutations and the arbitrary of fast-check: what they report.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openSync, type BlockDevice } from 'rumpblk';
import { CrashError, crashCheck, crashStates, crashTest, flushMutations, loadRecording, recordWrites, type Recorder } from 'rumpblk/lab';
import { memory } from 'rumpblk/media';
import { reportsFrom } from '../support/child';
import { rig } from '../support/rig';

const bench = rig();
const directory = bench.path('.');

function disk(): BlockDevice {
  return bench.keep(openSync(memory({ size: 16 * 512 }), { mode: 'r+' }));
}

const put = (device: BlockDevice, sector: number, value: number): unknown => device.writeSync(Buffer.alloc(512, value), sector * 512);

function at(device: BlockDevice, sector: number): number {
  const bytes = Buffer.alloc(512);
  device.readSync(bytes, sector * 512);
  return bytes[0] ?? 0;
}

/** Eight writes without a flush; sector `n` gets n + 1. */
function eight(): Recorder {
  const device = disk();
  const recorder = recordWrites(device, { directory });
  for (let sector = 0; sector < 8; sector += 1) put(device, sector, sector + 1);
  recorder.stop();
  return recorder;
}

async function failureOf(test: Promise<unknown>): Promise<CrashError> {
  const error: unknown = await test.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CrashError);
  return error as CrashError;
}

afterEach(() => {
  delete process.env['RUMPBLK_CRASH_TOKEN'];
});

describe('crashTest', () => {
  test('a check fails by throwing, by false and by a text', async () => {
    using recorder = eight();
    const report = await crashTest(recorder, () => undefined, { seed: 3 });
    expect(report).toMatchObject({ requests: 8, failures: [], seed: 3, distinct: 256, complete: true });
    const thrown = await failureOf(crashTest(recorder, () => Promise.reject(new Error('bad news'))));
    expect(thrown.report.failures[0]?.error).toEqual(new Error('bad news'));
    expect(thrown.message).toMatch(/^after a power cut: bad news\n\nlost nothing\nkept nothing\n/);
    expect(await failureOf(crashTest(recorder, () => false))).toHaveProperty('code', 'ERR_CRASH_STATE');
    expect((await failureOf(crashTest(recorder, () => 'words'))).message).toContain('after a power cut: words');
  });

  test('a failure is shrunk to what has to be lost and what has to be kept', async () => {
    using recorder = eight();
    const check = ({ device }: { device: BlockDevice }): boolean => !(at(device, 2) === 0 && at(device, 5) === 6);
    const { report } = await failureOf(crashTest(recorder, check));
    const [failure] = report.failures;
    expect(failure?.lost).toEqual([{ request: 2, device: 0, sector: 2, sectors: 1, how: 'lost' }]);
    expect(failure?.kept).toMatchObject([{ request: 5, sector: 5, sectors: 1 }]);
    using state = recorder.fromToken(failure?.token ?? '');
    expect(check(state)).toBe(false);
    // The recording beside it gives the state, too.
    using loaded = await loadRecording(failure?.recording ?? '');
    using again = loaded.fromToken(failure?.token ?? '');
    expect(check(again)).toBe(false);
    const first = await failureOf(crashTest(recorder, check, { shrink: 0 }));
    expect(first.report.failures[0]?.tests).toBe(0);
  });

  test('goes on to as many failures as are asked for', async () => {
    using recorder = eight();
    const { report } = await failureOf(crashTest(recorder, ({ device }) => at(device, 0) === 1, { failures: 1000, shrink: 0 }));
    expect(report.failures).toHaveLength(128);
    expect(report.distinct).toBe(256);
  });

  test('checks that would read the same are run once', async () => {
    using recorder = eight();
    let runs = 0;
    const check = ({ device }: { device: BlockDevice }): boolean => {
      runs += 1;
      return at(device, 0) + at(device, 1) < 100;
    };
    const report = await crashTest(recorder, check);
    // Four contents of two sectors, and one of fifty answers again.
    expect(report).toMatchObject({ distinct: 256, checked: 4, fromMemo: 252 });
    expect(runs).toBe(4 + Math.floor(252 / 50));
    expect(await crashTest(recorder, check, { memo: false })).toMatchObject({ checked: 256, fromMemo: 0 });
  });

  test('a check that is not deterministic is told of, and run each time from then on', async () => {
    using recorder = eight();
    let runs = 0;
    const report = await crashTest(recorder, ({ device }) => at(device, 0) < 100 && (runs += 1) < 5, { failures: 1000, shrink: 0 }).catch(
      (error: unknown) => (error as CrashError).report,
    );
    expect(report.nondeterministic).toMatch(/^rbl1\./);
    expect(report.failures.length).toBeGreaterThan(100);
  });

  test('a check that looks at more than devices is run each time', async () => {
    using recorder = eight();
    expect(await crashTest(recorder, ({ lost }) => lost.length < 100)).toMatchObject({ checked: 256, fromMemo: 0 });
  });

  test('again: the power is cut in the recovery, too', async () => {
    const device = disk();
    using recorder = recordWrites(device, { directory });
    put(device, 0, 1);
    recorder.stop();
    // A recovery that clears a flag before what the flag is about, without a flush between.
    const check = ({ device: own }: { device: BlockDevice }): string | undefined => {
      if (at(own, 1) === 7 && at(own, 2) !== 7) return 'half recovered';
      if (at(own, 0) === 1 && at(own, 1) === 0) {
        put(own, 2, 7);
        put(own, 1, 7);
      }
      return undefined;
    };
    expect(await crashTest(recorder, check)).toMatchObject({ failures: [] });
    const { report } = await failureOf(crashTest(recorder, check, { again: 100 }));
    const [failure] = report.failures;
    expect(failure).toMatchObject({ error: 'half recovered', lost: [{ sector: 2 }], kept: [{ sector: 1 }] });
    expect(failure?.token).toMatch(/^rbl1\.[^/]+\/rbl1\./);
    expect(report.recoveries).toBeGreaterThan(0);
  });

  test('workers run the check of a module, and find the same', async () => {
    const module = bench.path('check.mjs');
    writeFileSync(
      module,
      `export default ({ device }) => {
         const at = (sector) => { const bytes = Buffer.alloc(512); device.readSync(bytes, sector * 512); return bytes[0]; };
         if (at(2) === 0 && at(5) === 6) throw new Error('five without two');
       };`,
    );
    // In a process of its own: no module is imported in a jest environment.
    const script = `
      const { crashTest, recordWrites } = require('rumpblk/lab');
      const { memory } = require('rumpblk/media');
      const device = openSync(memory({ size: 8192 }), { mode: 'r+' });
      const recorder = recordWrites(device, { directory: args.directory });
      for (let sector = 0; sector < 8; sector += 1) device.writeSync(Buffer.alloc(512, sector + 1), sector * 512);
      recorder.stop();
      const failures = async (options) => {
        const { report: { failures } } = await crashTest(recorder, args.module, options).catch((error) => error);
        return failures.map(({ token, error }) => [token, error.message]);
      };
      const options = { seed: 1, failures: 3, shrink: 0, memo: false };
      report([await failures(options), await failures({ ...options, workers: 2 })]);
      report(await crashTest(recorder, args.module + '.none', { workers: 2 }).catch((error) => error.message));
      device.closeSync();`;
    const [[one, many], none] = await reportsFrom(script, { args: { module, directory } });
    expect(many).toEqual(one);
    expect(one).toHaveLength(3);
    expect(one[0]).toEqual([expect.stringMatching(/^rbl1/), 'five without two']);
    expect(none).toContain('check.mjs.none');
    using recorder = eight();
    await expect(crashTest(recorder, () => true, { workers: 2 })).rejects.toThrow('the path of a module');
  });

  test('options that are none are refused', async () => {
    using recorder = eight();
    for (const options of [
      { tear: 'half' },
      { workers: 0 },
      { strength: 4 },
      { seed: -1 },
      { failures: 0 },
      { memo: 1 },
      { samples: 1.5 },
      { limits: 1 },
    ]) {
      await expect(crashTest(recorder, () => true, options as object)).rejects.toHaveProperty('code', expect.stringMatching(/^ERR_/));
    }
    await expect(crashTest({} as Recorder, () => true)).rejects.toHaveProperty('code', 'ERR_INVALID_ARG_TYPE');
    await expect(crashTest(recorder, 5 as never)).rejects.toHaveProperty('code', 'ERR_INVALID_ARG_TYPE');
  });
});

describe('crashCheck', () => {
  /** Two writes that need a flush between them. */
  const spec = (isFlushed: boolean) => ({
    size: 8192,
    setup: (device: BlockDevice) => void put(device, 3, 9),
    run: async (device: BlockDevice, mark: (name: string) => void) => {
      put(device, 0, 1);
      if (isFlushed) await device.flush();
      put(device, 1, 1);
      await device.flush();
      mark('done');
    },
    check: ({ device, marks }: { device: BlockDevice; marks: readonly unknown[] }) => {
      if (at(device, 3) !== 9) return 'the setup is gone';
      if (at(device, 1) === 1 && at(device, 0) !== 1) return 'the second without the first';
      return marks.length === 0 || at(device, 1) === 1;
    },
  });

  test('passes what is right and fails what is not, as a whole test', async () => {
    expect(await crashCheck(spec(true), { directory })).toMatchObject({ failures: [], complete: true });
    const { report, message } = await failureOf(crashCheck(spec(false), { directory }));
    const [failure] = report.failures;
    expect(failure).toMatchObject({ error: 'the second without the first', lost: [{ sector: 0 }], kept: [{ sector: 1 }], marks: [] });
    expect(failure?.recording).toContain(directory);
    expect(existsSync(failure?.recording ?? '')).toBe(true);
    expect(readFileSync(failure?.recording ?? '', 'utf8')).toContain('"rumpblk-trace"');
    expect(message).toContain('lost 1 request\n  #0 sector 0\nkept 1 request\n  #1 sector 1\n');
  });

  test('RUMPBLK_CRASH_TOKEN looks at one state alone', async () => {
    const { report } = await failureOf(crashCheck(spec(false), { directory }));
    process.env['RUMPBLK_CRASH_TOKEN'] = report.failures[0]?.token;
    const again = await failureOf(crashCheck(spec(false), { directory }));
    expect(again.report).toMatchObject({ checked: 1, failures: [{ error: 'the second without the first', lost: [{ sector: 0 }] }] });
    // With the flush in place these are other requests.
    await expect(crashCheck(spec(true), { directory })).rejects.toMatchObject({ code: 'ESTALE', at: 1 });
  });

  test('what the workload throws is what it throws', async () => {
    const error = new Error('the workload');
    await expect(crashCheck({ size: 512, run: () => Promise.reject(error), check: () => true })).rejects.toBe(error);
    await expect(crashCheck({ size: 512, run: () => undefined, check: () => true, checks: 1 } as never)).rejects.toHaveProperty(
      'code',
      'ERR_INVALID_ARG_VALUE',
    );
  });

  test('flushMutations says which flushes the check needs', async () => {
    const rows = await flushMutations(spec(true));
    expect(rows.map(({ seen }) => seen)).toEqual([true, true]);
    expect(rows.map(({ flush }) => flush)).toEqual([1, 3]);
    const stacks = await flushMutations({ size: 512, run: (device) => device.flushSync(), check: () => true }, { stacks: true });
    expect(stacks[0]?.stack).toContain('crash-test.test');
    const blind = await flushMutations({ ...spec(true), check: () => true });
    expect(blind.map(({ seen }) => seen)).toEqual([false, false]);
  });
});

test('crashStates of fast-check shrinks by what is lost', async () => {
  using recorder = eight();
  const property = fc.asyncProperty(crashStates(fc, recorder), async ({ device }) => !(at(device, 2) === 0));
  const details = await fc.check(property, { seed: 1, numRuns: 200 });
  expect(details.failed).toBe(true);
  const [state] = details.counterexample ?? [];
  expect(state?.lost).toMatchObject([{ request: 2 }]);
  expect(fc.stringify(details.counterexample)).toContain(state?.token);
});
