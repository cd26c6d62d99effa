// npm run bench -- --profile: every contender of some rows alone in a process, in steady state, under perf. Where its
// processor time goes by layer, and how many system calls, page faults and switches a request takes.
import os from 'node:os';
import path from 'node:path';
import { layerOf, parseSamples, sharesBy } from './layers.mjs';
import { FREQUENCY, watchCounts, watchSamples } from './perf.mjs';
import { taskOf } from './run.mjs';
import { Subject } from './subject.mjs';

/** What docs/performance.md explains by where the time goes. */
export const PROFILED =
  /^(sync-4k(-hot)?|large-64k-aligned|batch-32(-promise)?|promise-4k-(depth-32|queued-copy)|seed-geometry|threads-hot|cold-4k-depth-32|durable-4k)@(?!tmpfs)/;

/** Passes until there are samples for a share of one in a hundred; what waits for a disk makes few of them a second. */
const ENOUGH_CPU_NS = 1e9;
const LONGEST_NS = 6e9;

/** The heaviest symbols of a contender, kept beside the layers so that the grouping can be looked at. */
const TOP = 20;

async function sample(subject, folder) {
  const watcher = watchSamples(subject.pid, path.join(folder, 'perf.data'));
  const all = { requests: 0, ns: 0, cpu: 0 };
  let text;
  try {
    do {
      if (all.requests > 0) subject.tell('more');
      const pass = await subject.pass(watcher);
      for (const key of Object.keys(all)) all[key] += pass[key];
    } while (all.cpu < ENOUGH_CPU_NS && all.ns < LONGEST_NS);
  } finally {
    text = await watcher.end();
  }
  return { requests: all.requests, samples: parseSamples(text) };
}

/** One more pass, apart from the samples: counting makes each system call a little slower. */
async function count(subject, folder) {
  subject.tell('more');
  const watcher = watchCounts(subject.pid, path.join(folder, 'perf.stat'));
  let requests;
  let counts;
  try {
    ({ requests } = await subject.pass(watcher));
  } finally {
    counts = await watcher.end();
  }
  const { byName, ...totals } = counts;
  const each = (numbers) => Object.fromEntries(Object.entries(numbers).map(([name, number]) => [name, number / requests]));
  return { ...each(totals), byName: each(byName) };
}

async function figuresOf(subject, folder) {
  const { requests, samples } = await sample(subject, folder);
  const counts = await count(subject, folder);
  await subject.end();
  const top = sharesBy(samples, (frames) => `${layerOf(frames)}: ${frames[0].symbol} (${path.basename(frames[0].object)})`);
  return {
    requests,
    samples: samples.length,
    cpu: ((samples.length / FREQUENCY) * 1e9) / requests,
    layers: Object.fromEntries(sharesBy(samples, layerOf)),
    counts,
    top: Object.fromEntries(top.slice(0, TOP)),
  };
}

async function profileOf(subject, name, folder) {
  const [load] = os.loadavg();
  try {
    return { name, load, ...(await figuresOf(subject, folder)) };
  } catch (error) {
    subject.kill();
    throw error;
  }
}

/** All contenders of a row. The first process names them; a contender in C is a program that it only knows of. */
async function profileRow({ row, place }, task) {
  const start = () => Subject.ofRow(task, row.nodeFlags ?? []);
  const first = start();
  const named = JSON.parse(await first.reaches('contenders'));
  await first.end();
  const contenders = [];
  for (const { name, program } of named) {
    const subject = program === undefined ? start() : Subject.ofProgram(program);
    if (program === undefined) {
      await subject.reaches('contenders');
      subject.tell(name);
    }
    contenders.push(await profileOf(subject, name, place.folder));
  }
  return contenders;
}

/** @returns {Promise<object[]>} `{ id, where, title, contenders }` a row, or `failed` with the reason instead of the contenders */
export async function runProfile(plan, options, progress) {
  const rows = [];
  for (const [index, step] of plan.entries()) {
    progress(`${index + 1} of ${plan.length}: ${step.name}`);
    const record = { id: step.row.id, where: step.place.fileSystem, title: step.row.title };
    try {
      rows.push({ ...record, contenders: await profileRow(step, taskOf(step, 0, options)) });
    } catch (error) {
      rows.push({ ...record, failed: error.message, contenders: [] });
    }
  }
  return rows;
}
