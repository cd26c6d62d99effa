// What the guide's method finds in a client of random-access-storage: Hyperbee 2.27 on Hypercore 10.38, which asks for no durability.
import { expect, jest, test } from '@jest/globals';
import { runChild } from '../support/child';

jest.setTimeout(240_000);

/** States of a store into which eight values were put one after the other, by what is wrong with them. */
async function surveys(script: string): Promise<any[]> {
  const { code, stderr, reports } = await runChild(
    `import { survey } from './test/lab/hyperbee/workload.mjs';
     const report = (value) => console.log(JSON.stringify(value));
     ${script}`,
    { module: true },
  );
  expect([code, stderr]).toEqual([0, '']);
  return reports;
}

test('a Hyperbee whose files nobody syncs is lost, unreadable or waits for ever; where each write is durable it survives, and so it does the end of a process', async () => {
  const [asItIs, synced, ended] = await surveys(
    `report(await survey(false, { limit: 80 }));
     report(await survey(true));
     report(await survey(false, { crash: 'process' }));`,
  );
  expect(Object.keys(asItIs.kinds).sort()).toEqual(['lost', 'unreadable', 'waits for ever']);
  expect([synced.kinds, ended.kinds]).toEqual([{}, {}]);
  expect(Math.min(synced.distinct, ended.distinct)).toBeGreaterThan(60);
});
