// rumpblk faults check, and plans that the environment names.
import { writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { cli } from '../support/cli';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();

function file(name: string, content: unknown): string {
  const place = bench.path(name);
  writeFileSync(place, typeof content === 'string' ? content : JSON.stringify(content));
  return place;
}
const PLAN = {
  seed: 1,
  rules: [
    { match: { op: 'write', every: 2 }, action: { drop: true } },
    { match: { op: 'flush' }, action: { errno: 'EIO' } },
  ],
};
const TRACE = [
  { v: 1, format: 'rumpblk-trace', sector: 512, devices: [{ name: 'a', size: 65536 }] },
  { n: 0, d: 0, op: 'write', s: 0, c: 8 },
  { n: 1, d: 0, op: 'write', s: 8, c: 8 },
  { n: 2, mark: 'here' },
  { n: 3, d: 0, op: 'flush' },
]
  .map((line) => `${JSON.stringify(line)}\n`)
  .join('');

describe('faults check', () => {
  test('shows a plan', async () => {
    const { status, stdout } = await cli(['faults', 'check', file('plan.json', PLAN)]);
    expect(status).toBe(0);
    expect(String(stdout)).toContain('2 rules, seed 1');
    expect(String(stdout)).toContain('{"drop":true}');
  });

  test('shows what of a trace it would hit', async () => {
    const { status, stdout } = await cli(['faults', 'check', file('plan.json', PLAN), '--against', file('trace.jsonl', TRACE)]);
    expect(status).toBe(0);
    expect(String(stdout)).toContain('3 requests, 2 faults');
    expect(String(stdout)).toContain('write 2 of device 0, 4096 bytes at sector 8: drop (rule 0)');
    expect(String(stdout)).toContain('flush 1 of device 0, 0 bytes at sector 0: errno EIO (rule 1)');
  });

  test('says where a plan is wrong', async () => {
    const { status, stderr } = await cli([
      'faults',
      'check',
      file('wrong.json', { rules: [{ match: { secotrs: [0, 1] }, action: { drop: true } }] }),
    ]);
    expect(status).toBe(2);
    expect(stderr).toContain('rules[0].match.secotrs');
  });

  test('says of what is no trace that it is none', async () => {
    const { status, stderr } = await cli(['faults', 'check', file('plan.json', PLAN), '--against', file('none.jsonl', '{}\n')]);
    expect(status).toBe(2);
    expect(stderr).toContain('no trace of rumpblk');
  });
});

test('commands meet the plan that RUMPBLK_FAULTS names', async () => {
  const image = bench.image(pattern(64 * KiB));
  const plan = file('reads.json', { rules: [{ match: { op: 'read' }, action: { errno: 'EIO' } }] });
  const { status, stderr } = await cli(['read', image, '-o', bench.path('out')], { env: { RUMPBLK_FAULTS: plan } });
  expect(status).toBe(1);
  expect(stderr).toContain('by the fault plan');
});
