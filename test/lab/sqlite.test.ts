// SQLite under power cuts, in every mode: which of them survive, which lose, which corrupt.
import { expect, jest, test } from '@jest/globals';
import { runChild } from '../support/child';

jest.setTimeout(240_000);

/** Runs a script beside the workload, in a process of its own: what is tested is an ES module. */
async function reports(script: string): Promise<any[]> {
  const {
    code,
    stderr,
    reports: given,
  } = await runChild(
    `import { MODES, flushes, row, sensitivity } from './test/lab/sqlite/table.mjs';
     const report = (value) => console.log(JSON.stringify(value));
     ${script}`,
    { module: true },
  );
  expect([code, stderr]).toEqual([0, '']);
  return given;
}

test('DELETE EXTRA, PERSIST FULL and WAL FULL survive; DELETE FULL and WAL NORMAL lose, whole; the others corrupt', async () => {
  const rows = await reports(
    'for (const [mode, wanted] of Object.entries(MODES)) report({ wanted, ...await row(mode, { limit: 2200 }) });',
  );
  expect(rows).toHaveLength(8);
  expect(Math.min(...rows.map(({ distinct }) => distinct))).toBeGreaterThanOrEqual(2000);
  for (const { mode, wanted, corrupt, lost } of rows) {
    // What is corrupt may have lost as well.
    expect([mode, corrupt > 0, wanted.includes('corrupt') || lost > 0]).toEqual([mode, wanted.includes('corrupt'), wanted.length > 0]);
  }
});

test('each sync of DELETE EXTRA is missed within 200 checks', async () => {
  const [rows] = await reports("report((await sensitivity('DELETE EXTRA', 8, 2000)).map((checks) => checks ?? -1));");
  expect(rows).toHaveLength(32);
  expect(Math.min(...rows)).toBeGreaterThan(0);
  expect(Math.max(...rows)).toBeLessThanOrEqual(200);
});

test('flushMutations finds that each flush of DELETE EXTRA is needed, within 200 states', async () => {
  const [rows] = await reports("report(await flushes('DELETE EXTRA', 8, 2000));");
  // Four syncs of a transaction, and one of the directory in which its journal is new.
  expect(rows.map(({ seen }: { seen: boolean }) => seen)).toEqual(Array.from({ length: 40 }, () => true));
  expect(Math.max(...rows.map(({ checks }: { checks: number }) => checks))).toBeLessThanOrEqual(200);
});
