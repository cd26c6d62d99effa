// What can be said of a job and its engines before a file is touched.
import { UsageError } from '../../support/failure.js';
import { reads, writes, type Job } from '../job/job.js';
import { mediumKind } from '../../support/source.js';
import { DEVICE_ENGINES, isSerial, type EngineName } from '../engine.js';

const SECTOR = 512;
const MAX_MEMORY = 1 << 28; // of one thread

/** Whether a job works on a disk without a file. */
export function isOnMedium({ filename }: Job): boolean {
  return filename !== undefined && mediumKind(filename) !== undefined;
}

export function checkJob(job: Job, engines: readonly EngineName[]): void {
  const refuse = (why: string): never => {
    throw new UsageError(`job ${job.name}: ${why}`);
  };
  if (job.timeBased && job.runtime === undefined) refuse('time_based needs a runtime');
  if (job.runtime === 0) refuse('a runtime of 0 measures nothing');
  const host = engines.find((engine) => !DEVICE_ENGINES.has(engine));
  if (host !== undefined && isOnMedium(job)) refuse(`the engine ${host} needs a file, and '${job.filename}' is none`);
  const used = [...(reads(job) ? [job.bs.read] : []), ...(writes(job) ? [job.bs.write] : [])];
  const depth = engines.every(isSerial) ? 1 : job.iodepth;
  if (Math.max(...used) * depth > MAX_MEMORY) refuse('bs times iodepth is more than 256 MiB');
  const offset = 'bytes' in job.offset ? job.offset.bytes : 0;
  const odd = [...used, offset].some((bytes) => bytes % SECTOR !== 0);
  if (odd && engines.includes('batch')) refuse('the engine batch needs bs and offset in whole sectors of 512 bytes');
  if (odd && job.direct) refuse('direct needs bs and offset in whole sectors of 512 bytes');
}
