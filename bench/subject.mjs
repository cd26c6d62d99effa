// One contender of one row in a process of its own, for a profiler: names the row's contenders, sets the one up that it is
// told, warms it, and does pass after pass, each between "ready" and "done". After each line on standard output it waits
// for one on standard input. Started by support/profile.mjs alone.
import { readSync, writeSync } from 'node:fs';
import { closeAll } from './support/context.mjs';
import { calibrate, timed } from './support/passes.mjs';
import { takeUp } from './support/task.mjs';

const PASS_MS = 100;

/** Says where this process is, and waits without a turn of the event loop for what to do next. */
function step(...words) {
  writeSync(1, `${words.join(' ')}\n`);
  const answer = Buffer.alloc(64);
  return answer.toString('utf8', 0, readSync(0, answer)).trim();
}

async function pass(contender, count, number) {
  await contender.before?.(number);
  step('ready');
  const { cpu } = await timed(contender, number * count, count);
  const answer = step('done', count, cpu * count);
  const wrong = (await contender.after?.(number)) ?? 0;
  if (wrong > 0) throw new Error(`${wrong} results were not what the image holds`);
  return answer;
}

async function main() {
  const { row, context } = takeUp(JSON.parse(process.argv[2]));
  const contenders = await row.contenders(context);
  // What runs in a process of its own that the profiler cannot step is left out: fio, and floors with an emptied page cache.
  const known = Object.entries(contenders).filter(([, { run, program }]) => run !== undefined || program !== undefined);
  const programs = known.map(([name, { program }]) => ({ name, program }));
  const contender = contenders[step('contenders', JSON.stringify(programs))];
  if (contender !== undefined) {
    const count = contender.ops ?? (await calibrate(contender, PASS_MS));
    for (let number = 1; (await pass(contender, count, number)) === 'more'; number += 1);
  }
  await closeAll(context);
}

await main();
