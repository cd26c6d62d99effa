// Who is timed in the comparison: node:fs where the image is a file, and a device in each access mode. All use ordinary small Buffers and cached pages; no side syncs.
import { open } from 'node:fs/promises';
import { readSync, writeSync } from 'node:fs';
import type { BlockDevice } from '../../index.js';
import type { BenchImage } from './image.js';

export const IO_SIZE = 4096;

export interface Job {
  op: 'read' | 'write';
  form: 'sync' | 'promise';
  /** Requests in flight at once. */
  depth: number;
}

export interface Contestant {
  name: string;
  /** Does the job once at each position; nanoseconds for all of them. */
  run(positions: readonly number[]): Promise<number>;
  /** Of the reads looked at after each run, how many had brought something wrong. */
  mismatches: number;
  close(): Promise<void>;
}

/** One request: IO_SIZE bytes between `data` and the position. */
type Operation<T> = (data: Buffer, position: number) => T;

/** node:fs first, where it can reach the image, then the devices. */
export async function createContestants(job: Job, image: BenchImage, devices: readonly BlockDevice[]): Promise<Contestant[]> {
  const fs = image.fd === undefined ? [] : [await createFs(job, image, image.fd)];
  return [...fs, ...devices.map((device) => createDevice(device, job, image))];
}

/** Promises come from a FileHandle of its own. */
async function createFs(job: Job, image: BenchImage, fd: number): Promise<Contestant> {
  const reads = job.op === 'read';
  // Of the file, where a device counts from its own start.
  const first = image.range.offset;
  if (job.form === 'sync') {
    const sync: Operation<number> = reads
      ? (data, position) => readSync(fd, data, 0, IO_SIZE, first + position)
      : (data, position) => writeSync(fd, data, 0, IO_SIZE, first + position);
    return createSync('node:fs', job, image, sync);
  }
  const handle = await open(image.path, reads ? 'r' : 'r+');
  const promise: Operation<Promise<unknown>> = reads
    ? (data, position) => handle.read(data, 0, IO_SIZE, first + position)
    : (data, position) => handle.write(data, 0, IO_SIZE, first + position);
  return Object.assign(createAsync('node:fs', job, image, promise), { close: () => handle.close() });
}

function createDevice(device: BlockDevice, job: Job, image: BenchImage): Contestant {
  const reads = job.op === 'read';
  if (job.form === 'sync') {
    const sync: Operation<number> = reads
      ? (data, position) => device.readSync(data, position)
      : (data, position) => device.writeSync(data, position);
    return createSync(device.access, job, image, sync);
  }
  const promise: Operation<Promise<unknown>> = reads
    ? (data, position) => device.read(data, position)
    : (data, position) => device.write(data, position);
  return createAsync(device.access, job, image, promise);
}

function createSync(name: string, job: Job, image: BenchImage, operation: Operation<number>): Contestant {
  return createContestant(name, job, image, ([data], positions) => {
    if (data === undefined) return Promise.resolve();
    for (const position of positions) operation(data, position);
    return Promise.resolve();
  });
}

/** `depth` lanes, each with memory of its own, each doing one request after the other. */
function createAsync(name: string, job: Job, image: BenchImage, operation: Operation<Promise<unknown>>): Contestant {
  const lane = async (data: Buffer, first: number, positions: readonly number[]): Promise<void> => {
    for (let index = first; index < positions.length; index += job.depth) await operation(data, positions[index] ?? 0);
  };
  return createContestant(name, job, image, async (memory, positions) => {
    await Promise.all(memory.map((data, first) => lane(data, first, positions)));
  });
}

function createContestant(
  name: string,
  job: Job,
  image: BenchImage,
  work: (memory: readonly Buffer[], positions: readonly number[]) => Promise<void>,
): Contestant {
  const memory = Array.from({ length: job.depth }, () => Buffer.alloc(IO_SIZE));
  let runs = 0;
  const contestant: Contestant = {
    name,
    mismatches: 0,
    run: async (positions) => {
      runs += 1;
      for (const data of memory) data.fill(`${name} ${runs} `);
      const start = process.hrtime.bigint();
      await work(memory, positions);
      const time = Number(process.hrtime.bigint() - start);
      contestant.mismatches += settle(job, image, positions, memory);
      return time;
    },
    close: () => Promise.resolve(),
  };
  return contestant;
}

/** When the clock has stopped: remembers what the writes have left; looks at what each lane's last read has brought. */
function settle(job: Job, image: BenchImage, positions: readonly number[], memory: readonly Buffer[]): number {
  const [data] = memory;
  if (job.op === 'write' && data !== undefined) {
    for (const position of positions) image.store(image.range.offset + position, data);
    return 0;
  }
  return memory.filter((lane, first) => {
    const last = positions[first + Math.floor((positions.length - 1 - first) / job.depth) * job.depth];
    return last !== undefined && !lane.equals(image.expected(image.range.offset + last, IO_SIZE));
  }).length;
}
