// Random steps from several worker threads against a model: support/player.ts says which. A thread more is ended in the
// middle of the same, again and again. RUMPBLK_THREADS_SEED replays a round that failed, RUMPBLK_THREADS_SECONDS makes it
// longer.
import { expect, test } from '@jest/globals';
import { lengthOf, seedOf } from '../support/chance';
import { startChild } from '../support/child';
import { compiled } from '../support/compiled';
import type { Round } from '../support/player';
import { KiB, pattern, rig } from '../support/rig';

const bench = rig();
const THREADS = 3;
const RANGE = 256 * KiB + 1536;
const seed = seedOf('THREADS');
const { seconds, rounds: most } = lengthOf('THREADS', 8);

/** Plays rounds until the time is over or there were enough, in a process that a fault can end without ending the tests. */
const MAIN = `
  const { Worker } = require('node:worker_threads');
  const started = (data) => new Worker(args.code, { eval: true, workerData: data });
  const played = (round) => new Promise((resolve, reject) => {
    const worker = started(round);
    let message;
    worker.on('message', (given) => { message = given; });
    worker.on('error', reject);
    worker.on('exit', (code) => resolve({ ...message, code }));
  });
  const { most = Infinity, milliseconds = Infinity } = args;
  const until = Date.now() + milliseconds;
  for (let turn = 0; turn === 0 || (turn < most && Date.now() < until); turn += 1) {
    const seed = args.seed + turn;
    report({ seed });
    const victim = started({ ...args.victim, seed });
    const rounds = args.rounds.map((round, i) => played({ ...round, seed: seed * 16 + i }));
    setTimeout(() => victim.terminate(), (seed % 50) + 60);
    const ended = await Promise.all(rounds);
    report({ seed, ended });
    await victim.terminate();
    if (ended.some(({ ok }) => !ok)) break;
  }
  report({ descriptors: fs.readdirSync('/proc/self/fd').map((fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } }).filter((file) => file.includes('rumpblk-test')) });`;

test(
  'whatever several threads do, each sees its own bytes, and the file holds them',
  async () => {
    process.stderr.write(`threads: RUMPBLK_THREADS_SEED=${seed}\n`);
    const file = bench.sparse(RANGE * THREADS);
    const round = (i: number): Omit<Round, 'seed'> => ({
      steps: 150,
      file,
      offset: i * RANGE,
      size: RANGE,
      own: bench.image(pattern(150_001)),
    });
    const args = {
      code: compiled('player.ts'),
      seed,
      ...(Number.isFinite(most) ? { most } : { milliseconds: 1000 * seconds }),
      rounds: Array.from({ length: THREADS }, (_, i) => round(i)),
      victim: { ...round(0), steps: 1e9, file: bench.sparse(RANGE) },
    };
    const child = startChild(MAIN, { args });
    child.tell('');
    const { code, signal, stderr, reports } = await child.ended;
    const last = reports.filter((each) => each.seed !== undefined).at(-1)?.seed as number;
    const failed = reports.flatMap(({ ended = [] }) => ended as { ok: boolean; why?: string }[]).filter(({ ok }) => !ok);
    const how = `replay with: RUMPBLK_THREADS_SEED=${last} npx jest test/random/threads-model`;
    if (code !== 0 || failed.length > 0) throw new Error(`${how}\nended with ${signal ?? code}: ${stderr}\n${failed.map(({ why }) => why).join('\n')}`); // prettier-ignore
    expect(reports.at(-1)).toEqual({ descriptors: [] });
    process.stderr.write(`threads: ${last - seed + 1} rounds of ${THREADS} threads\n`);
  },
  300_000 + (Number.isFinite(seconds) ? 1000 * seconds : 0),
);
