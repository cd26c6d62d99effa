// loadRecording(): a recorder of what a file says was written.
import { constants } from 'node:os';
import { keysOf } from '../arguments/known-keys.js';
import { hostPath, requireOptions, sectorSizeOf } from '../arguments/validate.js';
import { BlockDevice, handleOf } from '../device.js';
import { EINVAL, fromFailure, invalidArgType, isFailure, remarkedError } from '../errors.js';
import { memory } from '../media/volatile.js';
import { binding, EVENT_KINDS } from '../native/binding.js';
import { open } from '../open.js';
import type { Bytes } from '../request/transfer.js';
import type { TraceEvent, TraceHeader, TraceRequest } from '../trace/event.js';
import { readLogFile, type OpenLog } from '../trace/log-file.js';
import type { Recorder } from './lab-types.js';
import { recordSettings } from './options.js';
import { createRecorder } from './recorder.js';
import { labDriver, type Recording } from './recording.js';
import type { Mark } from './report.js';
import { hostError, UNSAFE } from './save.js';

/** Options of {@link loadRecording}. */
export interface LoadOptions {
  /** What the disk held before, of a log that does not have it: a path or a device; default zeros. It must not change while the recorder is in use. */
  base?: string | BlockDevice;
  /** Bytes that the medium writes as one; default what the file says, else 512. */
  atomicUnit?: Bytes;
}

const LOAD_KEYS = keysOf<LoadOptions>({ base: true, atomicUnit: true }, { sectorSize: "'atomicUnit'", image: "'base'" });
/** What is enough for a log that does not say how large its disk is. */
const ALIGNED = 1024 * 1024;

/**
 * Reads a recording from a file: one that `Recorder.save()` wrote, a log of dm-log-writes over a base, or a trace with data.
 *
 * @param file path
 * @param options `base`, default zeros; `atomicUnit`, default what the file says
 * @returns a recorder that has stopped
 * @throws {BlockDeviceError} EINVAL no log, of an unknown version, or without data; EIO it ends too early: what was read is in `error.partial`, a recorder;
 *   errors of the host
 *
 * @example
 * const recorder = await loadRecording('/tmp/rumpblk-lab-1a2b3c4d.jsonl');
 * using state = recorder.fromToken(token);
 */
export async function loadRecording(file: string, options?: LoadOptions): Promise<Recorder> {
  hostPath(file, 'file', 'of type string');
  if (options !== undefined) requireOptions(options, 'options', LOAD_KEYS);
  const { base, atomicUnit: given } = options ?? {};
  if (base !== undefined && typeof base !== 'string' && !(base instanceof BlockDevice)) {
    throw invalidArgType('options.base', 'of type string or an instance of BlockDevice', base);
  }
  const atomicUnit = given === undefined ? undefined : sectorSizeOf(given, 'options.atomicUnit');
  const { header, events, failure } = await contentOf(file);
  const recorder = await recorderOf(file, header, events, base, atomicUnit ?? header.atomic);
  if (failure === undefined) return recorder;
  throw Object.assign(failure, { partial: recorder });
}

/** All of a log; failure: that it ends too early. */
async function contentOf(file: string): Promise<{ header: TraceHeader; events: TraceEvent[]; failure: Error | undefined }> {
  let log: OpenLog;
  try {
    log = await readLogFile(file);
  } catch (error) {
    throw hostError(error, file);
  }
  const events: TraceEvent[] = [];
  try {
    for await (const event of log.events) events.push(event);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EIO') throw hostError(error, file);
    return { header: log.header, events, failure: error as Error };
  }
  return { header: log.header, events, failure: undefined };
}

async function recorderOf(
  file: string,
  header: TraceHeader,
  events: readonly TraceEvent[],
  base: string | BlockDevice | undefined,
  atomicUnit: number,
): Promise<Recorder> {
  const own: BlockDevice[] = [];
  try {
    const devices: BlockDevice[] = [];
    for (const [index, { name, size }] of header.devices.entries()) {
      const given = index === 0 ? base : undefined;
      if (given instanceof BlockDevice) {
        devices.push(given);
        continue;
      }
      const source = given ?? memory({ size: size ?? sizeOf(events, index), name });
      const device = await open(source, { mode: given === undefined ? 'r+' : 'r', driver: labDriver() });
      devices.push(device);
      own.push(device);
    }
    for (const event of events) if (event.op === 'base') await devices[event.device]?.write(event.data, event.position);
    const settings = recordSettings({ atomicUnit });
    const requests = devices.map((device) => handleOf(device, 'recordWrites').requests);
    const native = binding.recordingOver(requests, settings.atomicUnit, settings.memory, Buffer.from(settings.directory));
    if (isFailure(native)) throw fromFailure(native, { path: file });
    const disks = devices.map(({ path, size }, index) => ({ name: header.devices[index]?.name ?? path, size }));
    const recording: Recording = {
      native,
      settings,
      disks,
      marks: marksOf(events),
      inherited: inheritedOf(events),
      markEvents: [],
      stacks: [],
    };
    addEvents(recording, events, file);
    return createRecorder(recording, () => undefined);
  } finally {
    await Promise.all(own.map((device) => device.close()));
  }
}

function addEvents({ native, markEvents }: Recording, events: readonly TraceEvent[], file: string): void {
  // Native events count from 1.
  const first = events.some((event) => event.op !== 'base' && event.op !== 'mark' && event.n === 0) ? 1 : 0;
  for (const event of events) {
    if (event.op === 'base' || event.op === 'read' || (event.op === 'mark' && event.n === 0)) continue;
    if (event.op === 'write' && event.data === undefined) {
      throw remarkedError({ errno: -EINVAL, syscall: 'read', path: file }, 'a log without data', loadRecording);
    }
    if (event.op === 'mark') markEvents.push(event.n + first);
    const row = event.op === 'mark' ? markRow(event.n + first, event.time) : rowOf(event, first);
    const outcome = binding.recordingAdd(native, row, event.op === 'write' ? event.data : undefined);
    if (typeof outcome !== 'number') throw fromFailure(outcome, { path: file });
  }
}

function markRow(n: number, time: number): Float64Array {
  return Float64Array.of(EVENT_KINDS.indexOf('mark'), 0, 0, 0, 0, n, n, 0, 0, time, time);
}

function rowOf(request: TraceRequest, first: number): Float64Array {
  const { op, n, time, device, position, length, fua, done, latency = 0, moved, error, injected } = request;
  const kind = EVENT_KINDS.indexOf(op as (typeof EVENT_KINDS)[number]);
  const durable = injected === UNSAFE ? 2 : fua === true ? 1 : 0;
  const errno = error === undefined ? 0 : ((constants.errno as Record<string, number>)[error] ?? constants.errno.EIO);
  const all = error === undefined && done !== undefined ? length : 0;
  const end = done === undefined ? 0 : done + first;
  return Float64Array.of(kind, device, position, length, durable, n + first, end, moved ?? all, errno, time, time + latency);
}

function marksOf(events: readonly TraceEvent[]): Mark[] {
  return events.flatMap((event) => (event.op === 'mark' ? [{ name: event.name, data: event.data }] : []));
}

/** Marks of the state whose recovery was recorded are those before every event. */
function inheritedOf(events: readonly TraceEvent[]): number {
  return events.filter((event) => event.op === 'mark' && event.n === 0).length;
}

function sizeOf(events: readonly TraceEvent[], device: number): number {
  let end = 0;
  for (const event of events)
    if (event.op !== 'mark' && event.op !== 'base' && event.device === device) end = Math.max(end, event.position + event.length);
  return Math.ceil(end / ALIGNED) * ALIGNED;
}
