// One row, in one round, in a process of its own: sets the contenders up, warms them, runs their passes turn by turn and
// sends the figures to the parent. Started by main.mjs alone.
import { closeAll } from './support/context.mjs';
import { calibrate, timed } from './support/passes.mjs';
import { takeUp } from './support/task.mjs';

async function pass(contender, count, number) {
  await contender.before?.(number);
  const figures = contender.figures === undefined ? await timed(contender, number * count, count) : await contender.figures(number);
  const wrong = (await contender.after?.(number)) ?? 0;
  return { figures: { ...figures, ...contender.extra?.() }, wrong };
}

async function measure(row, context) {
  const contenders = await row.contenders(context);
  const names = Object.keys(contenders);
  const counts = {};
  for (const name of names) {
    const contender = contenders[name];
    if (contender.figures !== undefined || contender.ops !== undefined) counts[name] = contender.ops ?? 0;
    else {
      await calibrate(contender, context.effort.passMs / 2);
      counts[name] = await calibrate(contender, context.effort.passMs);
    }
  }
  const figures = {};
  let wrong = 0;
  const passes = row.passes ?? context.effort.passes;
  for (let number = 0; number < passes; number += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(turn + number + context.round) % names.length];
      const done = await pass(contenders[name], counts[name], number + 1);
      wrong += done.wrong;
      for (const [metric, value] of Object.entries(done.figures)) ((figures[name] ??= {})[metric] ??= []).push(value);
    }
  }
  return { figures, wrong };
}

async function main() {
  const task = JSON.parse(process.argv[2]);
  const { row, context } = takeUp(task);
  const skipped = row.skip?.(context);
  const result = skipped === undefined ? await measure(row, context) : { skipped };
  await closeAll(context);
  process.send(result);
}

main().catch((error) => process.send({ failed: error.stack ?? String(error) }));
