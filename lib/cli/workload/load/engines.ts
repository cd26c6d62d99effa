// Opens a file for an engine of ours or of node:fs. All get page-aligned memory, so that none is slower for its Buffers, and no lock:
// the main thread holds the lock of the file for all.
import { closeSync, constants, fdatasync, fdatasyncSync, fsync, fsyncSync, openSync, read, readSync, write, writeSync } from 'node:fs';
import { open as openHandle } from 'node:fs/promises';
import { open, type BlockDevice, type OpenOptions, type Source } from '../../../index.js';
import { useAndClose } from '../../support/scope.js';
import { mediumKind, sourceOf } from '../../support/source.js';
import { reads, writes, type Job } from '../job/job.js';
import { Random } from '../../support/random.js';
import type { Calls, OpenEngine } from './calls.js';
import { DEVICE_ENGINES, isSerial, type OwnEngine } from '../engine.js';
import { openOverNbd, type OpenedDevice } from './over-nbd.js';

const PAGE = 4096;
const PIECE = 1 << 20;

export async function openEngine(
  engine: OwnEngine,
  path: string,
  job: Job,
  access: NonNullable<OpenOptions['access']>,
  seed: number,
): Promise<OpenEngine> {
  const mode = writes(job) ? 'r+' : 'r';
  const source = sourceOf(path);
  if (mediumKind(path) === 'memory' && reads(job)) await fill(source);
  const options: OpenOptions = DEVICE_ENGINES.has(engine) ? { mode, access, direct: job.direct, lock: false } : { lock: false };
  const { device, close } = engine === 'nbd' ? await openOverNbd(source, options) : await openAlone(source, options);
  try {
    const { batch, lanes } = createLanes(device, job, isSerial(engine) ? 1 : job.iodepth, seed);
    if (engine === 'batch') return { calls: { shape: 'batch', batch }, lanes, close };
    if (engine === 'sync' || engine === 'async' || engine === 'nbd') return { calls: deviceCalls(engine, device), lanes, close };
    const file = await openFs(engine, path, job);
    return { calls: file.calls, lanes, close: () => useAndClose({ close }, file.close) };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openAlone(source: Source, options: OpenOptions): Promise<OpenedDevice> {
  const device = await open(source, options);
  return { device, close: () => device.close() };
}

/** Noise, so that reads are of memory that there is. */
async function fill(memory: Source): Promise<void> {
  const device = await open(memory, { mode: 'r+' });
  await useAndClose(device, async () => {
    const piece = Buffer.allocUnsafe(PIECE);
    new Random(1).fill(piece);
    for (let position = 0; position < device.size; position += PIECE) await device.write(piece, position);
  });
}

/** The arena of a batch, cut into a lane for each request in flight; full of noise, which is what writes write. */
function createLanes(
  device: BlockDevice,
  job: Job,
  depth: number,
  seed: number,
): Pick<OpenEngine, 'lanes'> & { batch: ReturnType<BlockDevice['createBatch']> } {
  const bs = Math.max(job.bs.read, job.bs.write);
  const stride = Math.ceil(bs / PAGE) * PAGE;
  // Room for a flush behind every write.
  const batch = device.createBatch({ depth: 2 * depth, arena: depth * stride });
  new Random(seed ^ 0x6461_7461).fill(batch.arena);
  const part = (lane: number, length: number): Uint8Array => batch.arena.subarray(lane * stride, lane * stride + length);
  const lanes = Array.from({ length: depth }, (_, lane) => ({ read: part(lane, job.bs.read), write: part(lane, job.bs.write) }));
  return { batch, lanes };
}

function deviceCalls(engine: 'sync' | 'async' | 'nbd', device: BlockDevice): Calls {
  if (engine === 'sync') {
    return {
      shape: 'sync',
      read: (data, position) => device.readSync(data, position),
      write: (data, position) => device.writeSync(data, position),
      sync: () => device.flushSync(),
    };
  }
  return {
    shape: 'promise',
    read: async (data, position) => (await device.read(data, position)).bytesRead,
    write: async (data, position) => (await device.write(data, position)).bytesWritten,
    sync: () => device.flush(),
  };
}

type FsFile = { calls: Calls; close: () => Promise<void> };

async function openFs(engine: 'fs-sync' | 'fs-callback' | 'fs-promises', path: string, job: Job): Promise<FsFile> {
  const flags = (writes(job) ? constants.O_RDWR : constants.O_RDONLY) | (job.direct ? constants.O_DIRECT : 0);
  const dataOnly = job.fsync === 0;
  if (engine === 'fs-promises') {
    const handle = await openHandle(path, flags);
    const calls: Calls = {
      shape: 'promise',
      read: async (data, position) => (await handle.read(data, 0, data.byteLength, position)).bytesRead,
      write: async (data, position) => (await handle.write(data, 0, data.byteLength, position)).bytesWritten,
      sync: () => (dataOnly ? handle.datasync() : handle.sync()),
    };
    return { calls, close: () => handle.close() };
  }
  const fd = openSync(path, flags);
  const close = (): Promise<void> => Promise.resolve(closeSync(fd));
  if (engine === 'fs-sync') {
    const calls: Calls = {
      shape: 'sync',
      read: (data, position) => readSync(fd, data, 0, data.byteLength, position),
      write: (data, position) => writeSync(fd, data, 0, data.byteLength, position),
      sync: () => (dataOnly ? fdatasyncSync(fd) : fsyncSync(fd)),
    };
    return { calls, close };
  }
  const calls: Calls = {
    shape: 'callback',
    read: (data, position, done) => read(fd, data, 0, data.byteLength, position, done),
    write: (data, position, done) => write(fd, data, 0, data.byteLength, position, done),
    sync: (done) => (dataOnly ? fdatasync : fsync)(fd, (error) => done(error, 0)),
  };
  return { calls, close };
}
