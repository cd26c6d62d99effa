// SQLite under power cuts, in every mode: which of them survive, which lose, which corrupt. `npm run test:lab` looks at more states.
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
    `import { MODES, row, sensitivity } from './test/lab/sqlite/table.mjs';
     const report = (value) => console.log(JSON.stringify(value));
     ${script}`,
    { module: true },
  );
  expect([code, stderr]).toEqual([0, '']);
  return given;
}

test('DELETE EXTRA, PERSIST FULL and WAL FULL survive; DELETE FULL and WAL NORMAL lose, whole; the others corrupt', async () => {
  const rows = await reports('for (const [mode, wanted] of Object.entries(MODES)) report({ wanted, ...await row(mode, { limit: 400 }) });');
  expect(rows).toHaveLength(8);
  for (const { mode, wanted, corrupt, lost } of rows) {
    // What is corrupt may have lost as well.
    expect([mode, corrupt > 0, wanted.includes('corrupt') || lost > 0]).toEqual([mode, wanted.includes('corrupt'), wanted.length > 0]);
  }
});

test('each flush of DELETE EXTRA is missed within 200 checks', async () => {
  const [rows] = await reports('report(await sensitivity(3, 200));');
  expect(rows.filter(({ seen }: { seen: boolean }) => !seen)).toEqual([]);
  expect(Math.max(...rows.map(({ checks }: { checks: number }) => checks))).toBeLessThanOrEqual(200);
});
