// Runs the rows: round after round, each row in a child process of its own, one at a time.
import { fork } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { judge, samplesOf, summary } from './stats.mjs';

const CHILD = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'child.mjs');
const LIMIT_MS = 120_000;

/** The child that runs now, so that a signal can end it. */
let running;

export function stopChild() {
  running?.kill('SIGKILL');
}

/** @returns {Promise<object>} what the child sent: figures, or why there are none */
function runChild(task, nodeFlags) {
  return new Promise((resolve) => {
    const child = fork(CHILD, [JSON.stringify(task)], {
      execArgv: nodeFlags,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    running = child;
    let result;
    child.on('message', (message) => (result = message));
    child.on('exit', (code, signal) => {
      running = undefined;
      resolve(result ?? { failed: `the child ended with ${signal ?? code}` });
    });
  });
}

/** Row and place: what one line of the table is about. */
export function planOf(rows, places, options) {
  return rows.flatMap((row) =>
    row.places
      .filter((where) => places[where] !== undefined)
      .map((where) => ({ row, where, place: places[where], name: `${row.id}@${places[where].fileSystem}` }))
      .filter(({ name }) => options.only === undefined || options.only.test(name)),
  );
}

export function taskOf({ row, place }, round, options) {
  const files = Object.fromEntries(row.files.map((name) => [name, place.files[name]]));
  return {
    row: row.id,
    round,
    files,
    size: options.sizes[row.files[0]],
    folder: place.folder,
    fileSystem: place.fileSystem,
    effort: options.effort,
    short: options.short,
    seed: 17,
    packageRoot: options.packageRoot,
  };
}

function blank({ row, where, place }) {
  return { id: row.id, where: place.fileSystem, place: where, title: row.title, samples: row.checks.map(() => []), figures: {}, wrong: 0 };
}

function take(record, row, result) {
  if (result.skipped !== undefined) record.skipped = result.skipped;
  if (result.failed !== undefined) record.failed = result.failed;
  if (result.figures === undefined) return;
  record.wrong += result.wrong;
  row.checks.forEach((check, index) => record.samples[index].push(...samplesOf(check, result.figures)));
  for (const [name, metrics] of Object.entries(result.figures)) {
    for (const [metric, values] of Object.entries(metrics)) ((record.figures[name] ??= {})[metric] ??= []).push(...values);
  }
}

function finish(record, row) {
  const { samples, figures, ...rest } = record;
  const contenders = Object.fromEntries(
    Object.entries(figures).map(([name, metrics]) => [
      name,
      Object.fromEntries(Object.entries(metrics).map(([metric, values]) => [metric, summary(values)])),
    ]),
  );
  return { ...rest, contenders, checks: row.checks.map((check, index) => judge(check, samples[index])) };
}

/**
 * @param progress called with a line before each child
 * @param keep called with the result so far after each round: whatever ends a long run leaves that
 * @returns the rows, and how many rounds there were
 */
export async function runPlan(plan, options, progress, keep) {
  const { rounds, budgetMs } = options.effort;
  const records = plan.map(blank);
  const start = performance.now();
  let round = 0;
  const soFar = () => ({ rounds: round, rows: records.map((record, index) => finish(record, plan[index].row)) });
  // The next round will take as long as those before it did on average.
  const fits = () => ((performance.now() - start) / round) * (round + 1) <= budgetMs;
  while (round < rounds && (round === 0 || fits())) {
    for (const [index, step] of plan.entries()) {
      progress(`round ${round + 1} of ${rounds}, ${index + 1} of ${plan.length}: ${step.name}`);
      await runStep(step, records[index], round, options);
    }
    round += 1;
    keep(soFar());
  }
  return soFar();
}

async function runStep(step, record, round, options) {
  if (record.skipped !== undefined || record.failed !== undefined || round >= (step.row.rounds ?? Infinity)) return;
  if (step.row.native && options.noFloors !== undefined) {
    record.skipped = `the programs of native/bench are not there: ${options.noFloors}`;
    return;
  }
  take(record, step.row, await runChild(taskOf(step, round, options), step.row.nodeFlags ?? []));
}
