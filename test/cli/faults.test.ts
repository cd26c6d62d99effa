// rumpblk faults check, and plans that the environment names.
import { writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { cli } from '../support/cli';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();

function file(name: string, content: unknown): string {
  const place = bench.path(name);
  writeFileSync(place, typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content));
  return place;
}
/** A sector that begins with these numbers. */
function block(...numbers: bigint[]): Buffer {
  const bytes = Buffer.alloc(512);
  numbers.forEach((number, index) => bytes.writeBigUInt64LE(number, 8 * index));
  return bytes;
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

  test.each<[format: string, log: string | Buffer]>([
    ['of fio', 'fio version 3 iolog\n0 disk add\n1 disk write 0 4096\n2 disk write 4096 4096\n3 disk sync 0 0\n4 disk close\n'],
    [
      'of dm-log-writes',
      Buffer.concat([
        block(0x6a736677736872n, 1n, 3n, 512n),
        block(0n, 8n),
        Buffer.alloc(4096),
        block(8n, 8n),
        Buffer.alloc(4096),
        block(0n, 0n, 1n),
      ]),
    ],
    ['of ours with bytes for places', TRACE.replace('"s":8,"c":8', '"p":4096,"l":4096')],
  ])('shows what of a log %s it would hit', async (_, log) => {
    const { status, stdout } = await cli(['faults', 'check', file('plan.json', PLAN), '--against', file('some.log', log)]);
    expect(status).toBe(0);
    expect(String(stdout)).toContain('3 requests, 2 faults');
    expect(String(stdout)).toContain('write 2 of device 0, 4096 bytes at sector 8: drop (rule 0)');
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
    expect(status).toBe(1);
    expect(stderr).toContain('no log');
    expect(stderr).toContain('none.jsonl');
  });
});

test('commands meet the plan that RUMPBLK_FAULTS names', async () => {
  const image = bench.image(pattern(64 * KiB));
  const plan = file('reads.json', { rules: [{ match: { op: 'read' }, action: { errno: 'EIO' } }] });
  const { status, stderr } = await cli(['read', image, '-o', bench.path('out')], { env: { RUMPBLK_FAULTS: plan } });
  expect(status).toBe(1);
  expect(stderr).toContain('by the fault plan');
});
