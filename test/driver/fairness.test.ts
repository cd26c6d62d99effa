// Devices of one driver take turns on its workers: one that has a flood of requests does not hold up the next one's.
import { describe, expect } from '@jest/globals';
import { testWith } from '../support/peers';
import { KiB, pattern, rig } from '../support/rig';
import { STRACE, strace } from '../support/strace';

const bench = rig();
const traced = testWith(...STRACE);
const WRITES = ['pwrite64', 'pwritev', 'pwritev2'];

// Each write of the flood takes 5 ms. In one queue for all, the other device would be answered when the whole flood is.
const flood = (requests: string) => `
  const driver = new BlockDriver(args.driver);
  const options = { driver, access: 'pio', mode: 'r+', lock: false };
  const [flooded, other] = [openSync(args.flooded, options), openSync(args.other, options)];
  let settled = 0;
  const writes = Array.from({ length: 100 }, (_, i) => flooded.write(Buffer.alloc(512, i), i * 512).then(() => { settled += 1; }));
  const batch = other.createBatch({ depth: 1 });
  batch.op[0] = rumpblk.BATCH_WRITE;
  batch.bcount[0] = 512;
  const block = () => Buffer.alloc(512, 7);
  const before = [];
  await Promise.all([${requests}].map((request) => request.then(() => before.push(settled))));
  report(before);
  await Promise.all(writes);
  report(settled);
  await flooded.close();
  await other.close();`;

const drivers = [
  ['the one worker', { workers: 1 }],
  ['the one worker, and a flood longer than the queue', { workers: 1, queueDepth: 2 }],
  ['four workers', { workers: 4 }],
] as const;

describe.each(drivers)('a flooded device and %s', (_, driver) => {
  const requests = {
    'a write': 'other.write(block(), 0)',
    'a flush': 'other.flush()',
    'a batch': 'batch.run(1)',
    'a close': 'other.close()',
    'three writes': '...[0, 1, 2].map((i) => other.write(block(), i * 512))',
  };

  for (const [name, request] of Object.entries(requests)) {
    traced(`do not hold up ${name} of another device`, async () => {
      const [flooded, other] = [bench.image(pattern(128 * KiB)), bench.image(pattern(64 * KiB))];
      const inject = WRITES.map((call) => `${call}:delay_enter=5000`);
      const result = await strace(flood(request), { args: { driver, flooded, other }, calls: WRITES, inject, only: flooded });
      expect(result).toMatchObject({ code: 0, stderr: '', reports: [expect.any(Array), 100] });
      // Its turn comes after one of the flood's for each worker; what settles in the same pass settles in any order.
      for (const before of result.reports[0] as number[]) expect(before).toBeLessThan(30);
    });
  }
});
