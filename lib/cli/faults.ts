// rumpblk faults check: whether a fault plan is one, and what it would do to the requests of a log. They are made of media that hold
// nothing, on a clock that nobody waits for.
import { readFileSync } from 'node:fs';
import type { Command } from './bundled/commander.js';
import { BlockDeviceError, BlockDriver, type BlockDevice, type FaultEvent, type FaultPlan } from '../index.js';
import { nullMedium } from '../media.js';
import { virtualClock } from '../lab.js';
import { readLogFile, type TraceRequest } from '../trace.js';
import { EXIT, UsageError } from './support/failure.js';
import { explain } from './support/help.js';
import { emit, emitJson, table } from './support/report.js';
import { parsePath } from './support/units.js';

export interface CheckOptions {
  against?: string;
  json?: boolean;
}

/** Bytes of the longest transfer that is made: all of it is in memory at once. */
const MOST_MOVED = 2 ** 30;
const SECTOR = 512;

export async function checkCommand(file: string, options: CheckOptions): Promise<number> {
  const plan = planIn(file);
  const { against } = options;
  const trace = against === undefined ? undefined : await hitsIn(against, plan);
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

/** Does something that a plan may have fail, or that is refused as it was when it was traced. */
function unlessFailed(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof BlockDeviceError)) throw error;
  }
}

/** The requests of a log of any format, and the size of each of its devices: what the log says, or where its last request ends. */
async function requestsIn(file: string): Promise<{ requests: TraceRequest[]; sizes: number[] }> {
  const { header, events } = await readLogFile(file);
  const requests: TraceRequest[] = [];
  const ends: number[] = [];
  for await (const event of events) {
    if (event.op === 'mark' || event.op === 'base') continue;
    const { op, n, device, position, length } = event;
    if ((op === 'read' || op === 'write') && length > MOST_MOVED)
      throw new UsageError(`${file}: event ${n} moves ${length} bytes, and one request ${MOST_MOVED} at most`);
    ends[device] = Math.max(ends[device] ?? 0, position + length);
    requests.push({ op, n, device, position, length, time: 0 });
  }
  return { requests, sizes: header.devices.map(({ size }, index) => size ?? ends[index] ?? 0) };
}

/** Makes the requests of a log, one after the other, under a plan. */
async function hitsIn(file: string, plan: FaultPlan): Promise<{ seed: number; requests: number; events: FaultEvent[] }> {
  const { requests, sizes } = await requestsIn(file);
  const driver = new BlockDriver({ workers: 1, minorCount: Math.max(16, sizes.length) });
  const devices = sizes.map((size) => driver.openSync(driver.registerSync(nullMedium({ size: toSectors(size) })), { mode: 'r+' }));
  const { seed } = driver.faults.plan({ ...plan, clock: virtualClock() });
  try {
    for (const request of requests) {
      const device = devices[request.device];
      if (device !== undefined) unlessFailed(() => make(device, request));
    }
    return { seed, requests: requests.length, events: driver.faults.log() };
  } finally {
    driver.faults.clear();
    // What a plan did to a flush sticks, and is told again.
    for (const device of devices) unlessFailed(() => device.closeSync());
    driver.close();
  }
}

/** A medium has whole sectors, and one at least. */
function toSectors(size: number): number {
  return Math.max(1, Math.ceil(size / SECTOR)) * SECTOR;
}

function make(device: BlockDevice, { op, position, length }: TraceRequest): void {
  if (op === 'read') device.readSync(Buffer.alloc(length), position);
  else if (op === 'write') device.writeSync(Buffer.alloc(length), position);
  else if (op === 'flush') device.flushSync();
  else if (op === 'discard') device.discardSync(position, length);
  else device.writeZeroesSync(position, length);
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
    .option('--against <trace>', 'show what of this log it hits: of this package, of dm-log-writes or blklogwrites, or of fio', parsePath)
    .option('--json', 'print one JSON document on stdout');
  explain(check, CHECK_HELP).action(async (file: string, options: CheckOptions) => done(await checkCommand(file, options)));
}
