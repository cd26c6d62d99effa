// A writer that is killed with SIGKILL at a random moment: whatever it has acknowledged is there, in every access mode, for
// every way to write. RUMPBLK_KILLS makes it more often, RUMPBLK_KILL_SEED names the moments.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { openSync } from 'rumpblk';
import { randomFrom, seedOf } from '../support/chance';
import { ROOT } from '../support/child';
import { compiled } from '../support/compiled';
import { ACCESSES, rig } from '../support/rig';
import { type Ack, type Job, judge, SIZE, type Verdict } from '../support/writer';

const bench = rig();
const KILLS = Number(process.env['RUMPBLK_KILLS'] ?? 30);
const SCRIPT = `${compiled('writer.ts')}\nvoid exports.writeForEver(JSON.parse(process.env.RUMPBLK_TEST_JOB));`;

/** Runs the writer, kills it a random time after its first acknowledgement, and looks at what is there. */
async function killed(job: Job, milliseconds: number): Promise<Verdict> {
  const child = spawn(process.execPath, ['-e', SCRIPT], {
    cwd: ROOT,
    env: { ...process.env, RUMPBLK_TEST_JOB: JSON.stringify(job) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (stdout === '') setTimeout(() => child.kill('SIGKILL'), milliseconds);
    stdout += text;
  });
  const signal = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, by) => resolve(by ?? code));
  });
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself: ${String(signal)}\n${stderr}`);
  const lines = stdout.slice(0, stdout.lastIndexOf('\n') + 1).split('\n');
  const acks = lines.filter(Boolean).map((line) => JSON.parse(line) as Ack);
  return judge(readFileSync(job.file), acks);
}

test.each(ACCESSES)(
  `SIGKILL loses nothing that was acknowledged, under %s`,
  async (access) => {
    const kills = Math.ceil(KILLS / ACCESSES.length);
    const seed = seedOf('KILL');
    const random = randomFrom(seed);
    let acknowledged = 0;
    for (let i = 0; i < kills; i += 1) {
      const file = bench.sparse(SIZE);
      const cache = (['writeback', 'writethrough', 'unsafe'] as const)[i % 3]!;
      const verdict = await killed({ file, access, cache, durable: i % 2 === 0 }, random() * 150);
      expect(verdict.wrong).toEqual([]);
      acknowledged += verdict.acknowledged;
      // Nothing of the dead is in the way: not its lock, and not what it had mapped.
      const again = openSync(file, { mode: 'r+', access });
      const got = Buffer.alloc(SIZE);
      expect(again.readSync(got, 0)).toBe(SIZE);
      expect(got.equals(readFileSync(file))).toBe(true);
      again.closeSync();
    }
    process.stderr.write(`kill: RUMPBLK_KILL_SEED=${seed}, ${kills} kills under ${access}, ${acknowledged} writes acknowledged\n`);
    expect(acknowledged).toBeGreaterThan(kills);
  },
  30_000 + 2_000 * KILLS,
);

test('the check finds a writer that acknowledges before it writes', async () => {
  const verdict = await killed({ file: bench.sparse(SIZE), access: 'auto', cache: 'writeback', durable: false, early: true }, 100);
  expect(verdict.wrong.length).toBeGreaterThan(0);
});
