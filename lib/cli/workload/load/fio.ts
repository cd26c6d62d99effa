// The engine fio: the same jobs on the same files, done by fio itself, and its report read back.
import { execFile, type ChildProcess } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Job } from '../job/job.js';
import { outcomeOfFio, type FioEntry } from '../result/fio-read.js';
import type { JobResult } from '../result/outcome.js';
import type { PlannedJob } from './run-own.js';
import type { Target } from './targets.js';
import { bytesOf } from './work.js';

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

/** A section for each thread of each job: they have files of their own. `nameFor` gives the name that fio has for a file. */
function fioSections(jobs: readonly PlannedJob[], nameFor: (file: string) => string): string {
  return jobs.flatMap(({ job, targets }) => targets.map((target, thread) => section(job, target, thread, nameFor(target.path)))).join('\n');
}

function section(job: Job, { region }: Target, thread: number, name: string): string {
  const { bs } = job;
  const keys: [string, string | number | undefined][] = [
    ['filename', name],
    ['rw', job.rw],
    ['bs', `${bs.read},${bs.write}`],
    ['ioengine', fioEngine(job)],
    ['iodepth', job.iodepth],
    ['size', region.length],
    ['offset', region.start],
    ['io_size', job.ioSize === undefined || job.timeBased ? undefined : bytesOf(job, region)],
    ['loops', job.ioSize === undefined ? job.loops : 1],
    ['runtime', job.runtime === undefined ? undefined : `${Math.round(job.runtime * 1e6)}us`],
    ['time_based', job.timeBased ? 1 : undefined],
    ['rwmixread', job.rwmixread],
    ['randseed', job.randseed + thread],
    ['norandommap', job.norandommap ? 1 : undefined],
    ['fsync', job.fsync],
    ['fdatasync', job.fdatasync],
    ['direct', job.direct ? 1 : 0],
    ['invalidate', 0], // run.ts has dropped the cache, once; fio would at every pass over the file
    ['lat_percentiles', 1], // from the call to the end, as ours
    ['clat_percentiles', 1],
  ];
  const lines = keys.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
  return [`[${job.name}]`, ...lines, ''].join('\n');
}

/** A name with anything else would mean something to fio: a comment, a variable, a second file. */
const PLAIN = /^[\w/.,+=@-]+$/;

/** Gives each file its own name where that is plain, else that of a link to it in `folder`, which fio runs in. */
function namesIn(folder: string): (file: string) => string {
  const links = new Map<string, string>();
  return (file) => {
    if (PLAIN.test(file)) return file;
    const link = links.get(file) ?? `file${links.size}`;
    if (!links.has(file)) symlinkSync(file, path.join(folder, link));
    links.set(file, link);
    return link;
  };
}

/** What fio is told to use: the job's ioengine, or what people take for one request at a time and for many. */
function fioEngine({ ioengine, iodepth, direct }: Job): string {
  return ioengine ?? (iodepth === 1 ? 'psync' : direct ? 'libaio' : 'io_uring');
}

/** Runs fio on a group of jobs. `started` gets the process, so that a signal can end it. */
export async function runFio(program: string, jobs: readonly PlannedJob[], started: (child: ChildProcess) => void): Promise<JobResult[]> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rumpblk-fio-'));
  try {
    const [input, output] = [path.join(folder, 'jobs.fio'), path.join(folder, 'report.json')];
    writeFileSync(input, fioSections(jobs, namesIn(folder)));
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

/** fio's word on each job. Where it has none, every job has failed, and the runs on other engines still count. */
function readReport(file: string, jobs: readonly PlannedJob[], complaint: string): JobResult[] {
  const entries = parseEntries(file);
  const expected = jobs.reduce((sum, { targets }) => sum + targets.length, 0);
  if (entries.length !== expected) {
    const failures = [`fio gave no report: ${complaint.replace(/\s*\n\s*/g, '; ')}`];
    return jobs.map(({ job, group }) => ({ job, engine: 'fio', group, threads: [], failures, fio: [] }));
  }
  let next = 0;
  return jobs.map(({ job, targets, group }) => {
    const own = entries.slice(next, (next += targets.length));
    const failed = own.some(({ error }) => error !== 0);
    const threads = own.map(outcomeOfFio);
    return { job, engine: 'fio', group, threads, failures: failed ? [complaint || 'a thread failed'] : [], fio: own };
  });
}

function parseEntries(file: string): FioEntry[] {
  try {
    // Warnings of fio come before its document.
    const text = readFileSync(file, 'utf8');
    return (JSON.parse(text.slice(text.indexOf('{'))) as { jobs: FioEntry[] }).jobs;
  } catch {
    return []; // its complaint says why
  }
}
