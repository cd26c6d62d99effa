// The engine fio: the same jobs on the same files, done by fio itself, and its report read back.
import { execFile, type ChildProcess } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { outcomeOfFio, type FioEntry } from '../result/fio-read.js';
import type { JobResult } from '../result/outcome.js';
import type { PlannedJob } from './run-own.js';

/** Where fio is, if it is on the PATH. */
export function findFio(): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    const program = path.join(folder, 'fio');
    try {
      accessSync(program, constants.X_OK);
      return program;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** A section for each thread of each job: they have files of their own. */
export function fioSections(jobs: readonly PlannedJob[]): string {
  return jobs.flatMap(({ job, targets }) => targets.map((target, thread) => section({ job, target, thread }))).join('\n');
}

function section({ job, target, thread }: { job: PlannedJob['job']; target: PlannedJob['targets'][number]; thread: number }): string {
  const { bs } = job;
  const keys: [string, string | number | undefined][] = [
    ['filename', target.path.replaceAll(':', '\\:')],
    ['rw', job.rw],
    ['bs', `${bs.read},${bs.write}`],
    ['ioengine', fioEngine(job)],
    ['iodepth', job.iodepth],
    ['size', target.region.length],
    ['offset', target.region.start],
    ['io_size', job.ioSize === undefined ? undefined : 'bytes' in job.ioSize ? job.ioSize.bytes : `${job.ioSize.percent}%`],
    ['runtime', job.runtime === undefined ? undefined : `${Math.round(job.runtime * 1e6)}us`],
    ['time_based', job.timeBased ? 1 : undefined],
    ['rwmixread', job.rwmixread],
    ['loops', job.loops],
    ['randseed', job.randseed + thread],
    ['norandommap', job.norandommap ? 1 : undefined],
    ['fsync', job.fsync],
    ['fdatasync', job.fdatasync],
    ['direct', job.direct ? 1 : 0],
    ['invalidate', job.invalidate ? 1 : 0],
    ['lat_percentiles', 1], // from the call to the end, as ours
    ['clat_percentiles', 1],
  ];
  const lines = keys.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
  return [`[${job.name}]`, ...lines, ''].join('\n');
}

/** What fio is told to use: the job's ioengine, or what people take for one request at a time and for many. */
export function fioEngine({ ioengine, iodepth, direct }: PlannedJob['job']): string {
  return ioengine ?? (iodepth === 1 ? 'psync' : direct ? 'libaio' : 'io_uring');
}

/** Runs fio on a group of jobs. `started` gets the process, so that a signal can end it. */
export async function runFio(program: string, jobs: readonly PlannedJob[], started: (child: ChildProcess) => void): Promise<JobResult[]> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rumpblk-fio-'));
  try {
    const [input, output] = [path.join(folder, 'jobs.fio'), path.join(folder, 'report.json')];
    writeFileSync(input, fioSections(jobs));
    const complaint = await run(program, ['--output-format=json+', `--output=${output}`, input], folder, started);
    return readReport(output, jobs, complaint);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Gives what fio said on stderr and how it ended; its report has the rest. */
function run(program: string, args: readonly string[], cwd: string, started: (child: ChildProcess) => void): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd }, (error, _, stderr) => resolve(stderr.trim() || (error?.message ?? '')));
    started(child);
  });
}

function readReport(file: string, jobs: readonly PlannedJob[], complaint: string): JobResult[] {
  const entries = parseEntries(file, complaint);
  const expected = jobs.reduce((sum, { targets }) => sum + targets.length, 0);
  if (entries.length !== expected) throw new Error(`fio reported ${entries.length} of ${expected} threads: ${complaint}`);
  let next = 0;
  return jobs.map(({ job, targets, group }) => {
    const own = entries.slice(next, (next += targets.length));
    const failed = own.some(({ error }) => error !== 0);
    const threads = own.map(outcomeOfFio);
    return { job, engine: 'fio', group, threads, failures: failed ? [`fio: ${complaint || 'a thread failed'}`] : [], fio: own };
  });
}

function parseEntries(file: string, complaint: string): FioEntry[] {
  try {
    // Warnings of fio come before its document.
    const text = readFileSync(file, 'utf8');
    return (JSON.parse(text.slice(text.indexOf('{'))) as { jobs: FioEntry[] }).jobs;
  } catch (error) {
    throw new Error(`fio gave no report: ${complaint || String(error)}`, { cause: error });
  }
}
