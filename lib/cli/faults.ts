// rumpblk faults check: whether a fault plan is one, and what it would do to the requests of a trace. They are made of media that hold
// nothing, on a clock that nobody waits for.
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { BlockDriver, type BlockDevice, type FaultEvent, type FaultPlan } from '../index.js';
import { nullMedium } from '../media.js';
import { virtualClock } from '../lab.js';
import { EXIT, UsageError } from './support/failure.js';
import { explain } from './support/help.js';
import { emit, emitJson, table } from './support/report.js';
import { parsePath } from './support/units.js';

export interface CheckOptions {
  against?: string;
  json?: boolean;
}

/** A line of a trace: its header, a request or a mark. What else it has is not looked at. */
interface Line {
  format?: string;
  devices?: { name?: string; size: number }[];
  d?: number;
  op?: string;
  s?: number;
  c?: number;
  mark?: string;
}

const SECTOR = 512;

export async function checkCommand(file: string, options: CheckOptions): Promise<number> {
  const plan = planIn(file);
  const { against } = options;
  const trace = against === undefined ? undefined : hitsIn(against, plan);
  if (options.json === true) {
    await emitJson({ plan: file, seed: trace?.seed ?? plan.seed, rules: plan.rules.length, ...trace });
    return EXIT.ok;
  }
  const rows = plan.rules.map(({ match = {}, action }, index) => [
    String(index),
    JSON.stringify(match),
    JSON.stringify(action),
    ...(trace === undefined ? [] : [String(trace.events.filter(({ rule }) => rule === index).length)]),
  ]);
  const columns = ['>RULE', 'MATCH', 'ACTION', ...(trace === undefined ? [] : ['>HITS'])];
  const seed = trace?.seed ?? plan.seed;
  await emit(`${file}: ${plan.rules.length} rules, ${seed === undefined ? 'a random seed' : `seed ${seed}`}\n${table(columns, rows)}`);
  if (against !== undefined && trace !== undefined) {
    await emit(`${against}: ${trace.requests} requests, ${trace.events.length} faults\n${listOf(trace.events)}`);
  }
  return EXIT.ok;
}

function listOf(events: readonly FaultEvent[]): string {
  return events
    .map(
      ({ n, rule, op, minor, blkno, bcount, action }) =>
        `${op} ${n} of device ${minor}, ${bcount} bytes at sector ${blkno}: ${action} (rule ${rule})\n`,
    )
    .join('');
}

/** Reads a plan; what is wrong with it is the failure of the command. */
function planIn(file: string): FaultPlan {
  const text = readFileSync(file, 'utf8');
  try {
    const plan = JSON.parse(text) as FaultPlan;
    // Looked at by a driver of its own.
    const driver = new BlockDriver({ workers: 1, faults: plan });
    driver.close();
    return plan;
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
}

/** Does something that a plan may have fail. */
function unlessInjected(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if ((error as { injected?: boolean }).injected !== true) throw error;
  }
}

function* linesOf(file: string): Generator<Line> {
  let number = 0;
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    number += 1;
    if (text === '') continue;
    try {
      yield JSON.parse(text) as Line;
    } catch {
      throw new UsageError(`${file}: line ${number} is no JSON`);
    }
  }
}

/** Makes the requests of a trace, one after the other, under a plan. */
function hitsIn(file: string, plan: FaultPlan): { seed: number; requests: number; events: FaultEvent[] } {
  const lines = linesOf(file);
  const header = lines.next().value as Line | undefined;
  if (header?.format !== 'rumpblk-trace' || !Array.isArray(header.devices)) throw new UsageError(`${file}: no trace of rumpblk`);
  const driver = new BlockDriver({ workers: 1 });
  const devices = header.devices.map(({ size }) => driver.openSync(driver.registerSync(nullMedium({ size })), { mode: 'r+' }));
  const { seed } = driver.faults.plan({ ...plan, clock: virtualClock() });
  let requests = 0;
  try {
    for (const line of lines) {
      if (line.op === undefined) continue;
      const device = devices[line.d ?? 0];
      if (device === undefined) throw new UsageError(`${file}: a request of device ${line.d}, which it does not have`);
      requests += 1;
      request(device, line, file);
    }
    return { seed, requests, events: driver.faults.log() };
  } finally {
    driver.faults.clear();
    // What a plan did to a flush sticks, and is told again.
    for (const device of devices) unlessInjected(() => device.closeSync());
    driver.close();
  }
}

function request(device: BlockDevice, { op, s = 0, c = 0 }: Line, file: string): void {
  const length = c * SECTOR;
  const position = s * SECTOR;
  unlessInjected(() => {
    if (op === 'read') device.readSync(Buffer.alloc(length), position);
    else if (op === 'write') device.writeSync(Buffer.alloc(length), position);
    else if (op === 'flush') device.flushSync();
    else if (op === 'discard') device.discardSync(position, length);
    else if (op === 'zeroes') device.writeZeroesSync(position, length);
    else throw new UsageError(`${file}: '${op}' is no operation`);
  });
}

const CHECK_HELP = {
  notes: ['Commands that work on FILE meet the plan that the variable RUMPBLK_FAULTS names.'],
  examples: [
    { what: 'Tell whether a plan is one.', line: 'rumpblk faults check plan.json' },
    { what: 'Show which requests of a log it would hit.', line: 'rumpblk faults check plan.json --against work.jsonl' },
  ],
};

export function addFaults(program: Command, done: (status: number) => void): void {
  const faults = program.command('faults').description('Look at fault plans.');
  const check = faults
    .command('check')
    .description('Tell whether a fault plan is one, and what it would do to the requests of a trace.')
    .argument('<plan>', 'a fault plan in JSON', parsePath)
    .option('--against <trace>', 'show what of this trace, in JSON lines, it hits', parsePath)
    .option('--json', 'print one JSON document on stdout');
  explain(check, CHECK_HELP).action(async (file: string, options: CheckOptions) => done(await checkCommand(file, options)));
}
