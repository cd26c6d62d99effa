// loadRecording(): a recorder of what a file says was written.
import { stat } from 'node:fs/promises';
import { constants } from 'node:os';
import { keysOf } from '../arguments/known-keys.js';
import { hostPath, requireOptions, sectorSizeOf } from '../arguments/validate.js';
import { BlockDevice, handleOf } from '../device.js';
import { EINVAL, fromFailure, invalidArgType, isFailure, remarkedError } from '../errors.js';
import { memory } from '../media/volatile.js';
import { binding, EVENT_KINDS, type Outcome } from '../native/binding.js';
import { open } from '../open.js';
import type { Bytes } from '../request/transfer.js';
import {
  entryOf,
  type TraceBase,
  type TraceEvent,
  type TraceEvents,
  type TraceHeader,
  type TraceMark,
  type TraceRequest,
} from '../trace/event.js';
import { readLogFile } from '../trace/log-file.js';
import type { Recorder } from './lab-types.js';
import { recordSettings, type RecordSettings } from './options.js';
import { createRecorder } from './recorder.js';
import { labDriver, type Recording } from './recording.js';
import { UNSAFE } from './save.js';

/** Options of {@link loadRecording}. */
export interface LoadOptions {
  /** What the disk held before, of a log that does not have it: a path or a device; default zeros. It must not change while the recorder is in use. */
  base?: string | BlockDevice;
  /** Bytes that the medium writes as one; default what the file says, else 512. */
  atomicUnit?: Bytes;
}

const LOAD_KEYS = keysOf<LoadOptions>({ base: true, atomicUnit: true }, { sectorSize: "'atomicUnit'", image: "'base'" });
/** Ends behind it are told, should there be no memory. */
const FAR = 2 ** 40;
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
  const log = await contentOf(file);
  const { disks, parts } = placesOf(log, base);
  const own: BlockDevice[] = [];
  try {
    for (const disk of disks) {
      if (disk.device !== undefined) continue;
      disk.device = await openDisk(disk, file);
      own.push(disk.device);
    }
    const recording = recordingOver(file, log.header, disks, parts, recordSettings({ atomicUnit: atomicUnit ?? log.header.atomic }));
    const write = async ({ device, position, data }: TraceBase): Promise<unknown> => {
      const { disk = 0, begin = 0 } = parts[device] ?? {};
      return disks[disk]?.device?.write(data, begin + position);
    };
    const failure = await addEvents(recording, log.events, write, file);
    const recorder = createRecorder(recording, () => undefined);
    if (failure === undefined) return recorder;
    throw Object.assign(failure, { partial: recorder });
  } finally {
    await Promise.all(own.map((device) => device.close()));
  }
}

/** A log whose events are still to come, and where they end on each device that it does not tell the size of. */
interface Content {
  readonly header: TraceHeader;
  readonly events: TraceEvents;
  readonly ends: readonly End[];
}

interface End {
  readonly bytes: number;
  /** The event that ends there, where that is far out. */
  readonly far: string | undefined;
}

/**
 * Opens a log. Its events are not kept, for it may be larger than memory: one that does not say how large its devices are is read twice,
 * and held alone where it cannot be, as of a pipe.
 */
async function contentOf(file: string): Promise<Content> {
  const { header, events } = await readLogFile(file);
  if (header.devices.length > 0 && header.devices.every(({ size }) => size !== undefined)) return { header, events, ends: [] };
  const isFile = (await stat(file)).isFile();
  const all: TraceEvent[] = [];
  const ends: End[] = [];
  let failure: Error | undefined;
  try {
    for await (const event of events) {
      if (!isFile) all.push(event);
      noteEnd(ends, event);
    }
  } catch (error) {
    failure = error as Error;
  }
  return { header, events: isFile ? (await readLogFile(file)).events : held(all, failure), ends };
}

function* held(events: readonly TraceEvent[], failure: Error | undefined): Generator<TraceEvent, void> {
  yield* events;
  if (failure !== undefined) throw failure;
}

function noteEnd(ends: End[], event: TraceEvent): void {
  if (event.op === 'mark' || event.op === 'base' || event.op === 'read' || event.op === 'flush') return;
  const { op, device, position, length } = event;
  const bytes = position + length;
  if ((ends[device]?.bytes ?? 0) >= bytes) return;
  ends[device] = { bytes, far: bytes > FAR ? `${eventName(event)}, ${op} of ${length} bytes at byte ${position}` : undefined };
}

/** A disk that devices of the log are parts of: what holds its base, or how much memory is to. */
interface Disk {
  device?: BlockDevice;
  readonly path?: string;
  readonly name: string;
  size: number;
  /** The event that says that it is so large, where the log itself does not. */
  far: string | undefined;
}

/** Where a device lies: index of its disk, first byte there; size, undefined: all of it. */
interface Place {
  readonly disk: number;
  readonly begin: number;
  readonly size: number | undefined;
}

/** Tells which disks there are and what of them each device is. A base is that of the first device alone. */
function placesOf({ header, ends }: Content, base: string | BlockDevice | undefined): { disks: Disk[]; parts: Place[] } {
  const disks: Disk[] = [];
  const numbers = new Map<number, number>();
  const parts = header.devices.map(({ name, size, disk: number, offset: begin = 0 }, index): Place => {
    if (index === 0 && base !== undefined) {
      const given = typeof base === 'string' ? { path: base } : { device: base };
      return { disk: disks.push({ ...given, name, size: 0, far: undefined }) - 1, begin: 0, size: undefined };
    }
    const end = ends[index];
    const bytes = size ?? Math.ceil((end?.bytes ?? 0) / ALIGNED) * ALIGNED;
    const known = number === undefined ? undefined : numbers.get(number);
    const disk = known ?? disks.push({ name, size: 0, far: undefined }) - 1;
    if (number !== undefined) numbers.set(number, disk);
    const of = disks[disk] as Disk;
    if (begin + bytes > of.size) [of.size, of.far] = [begin + bytes, size === undefined ? end?.far : undefined];
    return { disk, begin, size: bytes };
  });
  return { disks, parts };
}

/** Opens what holds the base of a disk: a host file, or memory that is zero. */
async function openDisk({ path, name, size, far }: Disk, file: string): Promise<BlockDevice> {
  if (path !== undefined) return open(path, { mode: 'r', driver: labDriver() });
  try {
    return await open(memory({ size, name }), { mode: 'r+', driver: labDriver() });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOMEM' || far === undefined) throw error;
    const what = `${far}, lies behind the end of any disk in memory: give a base`;
    throw remarkedError({ errno: -EINVAL, syscall: 'log', path: file }, what, loadRecording);
  }
}

function recordingOver(
  file: string,
  header: TraceHeader,
  disks: readonly Disk[],
  parts: readonly Place[],
  settings: RecordSettings,
): Recording {
  const devices = disks.map(({ device }) => device as BlockDevice);
  const requests = devices.map((device) => handleOf(device, 'recordWrites').requests);
  const sizes = parts.map(({ disk, size }) => size ?? devices[disk]?.size ?? 0);
  const rows = Float64Array.from(parts.flatMap(({ disk, begin }, index) => [disk, begin, sizes[index] ?? 0]));
  const native = binding.recordingOver(requests, rows, settings.atomicUnit, settings.memory, Buffer.from(settings.directory));
  if (isFailure(native)) throw fromFailure(native, { path: file });
  const named = sizes.map((size, index) => ({ name: header.devices[index]?.name ?? '', size }));
  return { native, settings, disks: named, marks: [], inherited: 0, markEvents: [], stacks: [] };
}

/** Adds what a log has. @returns that it ends too early */
async function addEvents(
  recording: Recording,
  events: TraceEvents,
  write: (base: TraceBase) => Promise<unknown>,
  file: string,
): Promise<Error | undefined> {
  // Native events count from 1; the first request of a log has its lowest number.
  let first: number | undefined;
  try {
    for await (const event of events) {
      if (event.op === 'base') await write(event);
      else if (event.op === 'mark') addMark(recording, event, first ?? 0, file);
      else addRequest(recording, event, (first ??= event.n === 0 ? 1 : 0), file);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EIO' || (error as NodeJS.ErrnoException).syscall !== 'log') throw error;
    return error as Error;
  }
  return undefined;
}

function addMark(recording: Recording, { n, time, name, data }: TraceMark, first: number, file: string): void {
  recording.marks.push({ name, data });
  // Those of the state whose recovery was recorded come before every event.
  if (n === 0) {
    recording.inherited += 1;
    return;
  }
  recording.markEvents.push(n + first);
  added(binding.recordingAdd(recording.native, markRow(n + first, time), undefined), file);
}

function addRequest({ native }: Recording, event: TraceRequest, first: number, file: string): void {
  if (event.op === 'read') return;
  if (event.op === 'write' && event.data === undefined) {
    throw remarkedError({ errno: -EINVAL, syscall: 'read', path: file }, 'a log without data', loadRecording);
  }
  const outcome = binding.recordingAdd(native, rowOf(event, first), event.op === 'write' ? event.data : undefined);
  if (!isFailure(outcome) || outcome[0] !== EINVAL) return added(outcome, file);
  throw remarkedError({ errno: -EINVAL, syscall: 'log', path: file }, `${eventName(event)} does not fit into the recording`, loadRecording);
}

/** What the reader of a log calls an event: an entry of dm-log-writes counts as another number than its requests. */
function eventName(event: TraceRequest): string {
  const entry = entryOf(event);
  return entry === undefined ? `event ${event.n}` : `entry ${entry}`;
}

function added(outcome: Outcome, file: string): void {
  if (typeof outcome !== 'number') throw fromFailure(outcome, { path: file });
}

function markRow(n: number, time: number): Float64Array {
  return Float64Array.of(EVENT_KINDS.indexOf('mark'), 0, 0, 0, 0, n, n, 0, 0, time, time, 0);
}

function rowOf(request: TraceRequest, first: number): Float64Array {
  const { op, n, time, device, position, length, fua, done, latency = 0, moved, error, injected, stores } = request;
  const kind = EVENT_KINDS.indexOf(op as (typeof EVENT_KINDS)[number]);
  const durable = injected === UNSAFE ? 2 : fua === true ? 1 : 0;
  const errno = error === undefined ? 0 : ((constants.errno as Record<string, number>)[error] ?? constants.errno.EIO);
  const all = error === undefined && done !== undefined ? length : 0;
  const end = done === undefined ? 0 : done + first;
  const place = [kind, device, position, length, durable, n + first, end, moved ?? all];
  return Float64Array.of(...place, errno, time, time + latency, stores === true ? 1 : 0);
}
