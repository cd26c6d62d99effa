// A journal of 40 commits under power cuts: right, and wrong in two ways.
import { expect, jest, test } from '@jest/globals';
import { CrashError, crashCheck, type CheckOptions, type CrashReport } from 'rumpblk/lab';
import { rig } from '../support/rig';
import { check, SIZE, write, type Wrong } from './journal';

jest.setTimeout(120_000);
const bench = rig();

function journal(wrong: Wrong, options: CheckOptions = {}): Promise<CrashReport> {
  return crashCheck(
    { size: SIZE, run: (device, mark) => write(device, mark, wrong), check },
    { seed: 1, directory: bench.path('.'), ...options },
  );
}

async function failureOf(wrong: Wrong, options?: CheckOptions): Promise<CrashError> {
  const error: unknown = await journal(wrong, options).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CrashError);
  return error as CrashError;
}

test('a journal that flushes, and commits with FUA, survives 20 000 states', async () => {
  const report = await journal({}, { exhaustive: 2048 });
  expect(report.failures).toEqual([]);
  expect(report.distinct).toBeGreaterThanOrEqual(20_000);
  expect(report.checked + report.fromMemo).toBe(report.distinct);
  expect(report.nondeterministic).toBeUndefined();
});

test('without the flush before the commit, a commit lacks a record', async () => {
  const { report, message } = await failureOf({ noFlush: true });
  const [failure] = report.failures;
  expect(failure).toMatchObject({ error: 'commit 0 lacks record 0', lost: [{ request: 0, sector: 1, sectors: 1 }] });
  expect(failure?.kept).toMatchObject([{ request: 7, sector: 0, sectors: 1 }]);
  expect(failure?.tests).toBeLessThanOrEqual(13);
  expect(message).toContain('commit 0 lacks record 0');
  expect(message).toContain(`RUMPBLK_CRASH_TOKEN=${failure?.token}`);
});

test('with a commit that is not durable, acknowledged commits are lost', async () => {
  const { report } = await failureOf({ noFua: true });
  const [failure] = report.failures;
  expect(failure?.error).toMatch(/^lost acknowledged/);
  // The commit alone.
  expect(failure?.lost).toHaveLength(1);
  expect(failure?.lost[0]).toMatchObject({ sectors: 1, how: 'lost' });
});
