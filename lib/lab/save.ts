// Recorder.save(): a recording as a file, in one of several formats.
import { rename, rm } from 'node:fs/promises';
import { getSystemErrorMap } from 'node:util';
import { keysOf } from '../arguments/known-keys.js';
import { hostPath, integer, oneOf, requireOptions } from '../arguments/validate.js';
import type { BlockDevice } from '../device.js';
import { BlockDeviceError } from '../errors.js';
import { binding } from '../native/binding.js';
import { traceHeader, type TraceBase, type TraceDevice, type TraceEvent } from '../trace/event.js';
import { writeLogFile } from '../trace/log-file.js';
import { createState } from './crash-state.js';
import type { SaveOptions } from './lab-types.js';
import { answerOf, eventsOf, type RecordedEvent, type Recording } from './recording.js';

/** In a log, of a request that nothing makes durable: as cache mode 'unsafe' has it. */
export const UNSAFE = 'unsafe';

const FORMATS = { rumpblk: 0, 'dm-log-writes': 1, 'fio-iolog-2': 2, 'fio-iolog-3': 3, jsonl: 4 } as const;
const SAVE_KEYS = keysOf<SaveOptions>({ format: true, device: true });
/** Numbers of a device in `recordingParts`. */
const PART = 3;
/** Bytes that are read at a time, and looked at for zeros. */
const PIECE = 65536;
const ZEROS = Buffer.alloc(PIECE);

/** Writes a recording into a file, which is there, whole and under its name, when the promise settles, or as it was. */
export async function saveRecording(recording: Recording, file: string, options: SaveOptions | undefined): Promise<void> {
  hostPath(file, 'file', 'of type string');
  if (options !== undefined) requireOptions(options, 'options', SAVE_KEYS);
  const format = oneOf(options?.format ?? 'rumpblk', 'options.format', FORMATS);
  const device = integer(options?.device ?? 0, 'options.device', 0, recording.disks.length - 1);
  const header = traceHeader(devicesOf(recording), { atomic: recording.settings.atomicUnit });
  const fresh = `${file}.${process.pid}.${Date.now().toString(36)}`;
  try {
    if (format === 'rumpblk') await writeLogFile(fresh, header, wholeOf(recording), { format: 'jsonl' });
    else await writeLogFile(fresh, header, eventsIn(recording), { format, device });
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw hostError(error, file);
  }
}

/** What a log says of the devices: of those that are parts of disks, which ones, since one flush covers all of a disk. */
function devicesOf({ native, disks }: Recording): TraceDevice[] {
  const parts = binding.recordingParts(native);
  const numbers = disks.map((_, index) => parts[index * PART] ?? index);
  return disks.map(({ name, size }, index) => {
    const [disk = index, offset = 0] = parts.subarray(index * PART, (index + 1) * PART);
    const isPart = offset > 0 || numbers.some((number, other) => number === disk && other !== index);
    return { name, size, ...(isPart && { disk, offset }) };
  });
}

/** Makes an error of Node's one of ours; leaves any other as it is. */
export function hostError(error: unknown, file: string): unknown {
  const { errno, syscall = 'open' } = error as NodeJS.ErrnoException;
  if (error instanceof BlockDeviceError || typeof errno !== 'number') return error;
  return new BlockDeviceError({ errno, syscall, path: file }, { cause: error });
}

/** All of it: what the devices held before, and then what happened. */
async function* wholeOf(recording: Recording): AsyncGenerator<TraceEvent, void> {
  yield* baseOf(recording);
  yield* eventsIn(recording);
}

function* eventsIn(recording: Recording): Generator<TraceEvent, void> {
  // Those of the state whose recovery was recorded came before all else.
  for (const { name, data } of recording.marks.slice(0, recording.inherited)) yield { op: 'mark', n: 0, time: 0, name, data };
  let mark = recording.inherited;
  let started: number | undefined;
  for (const event of eventsOf(recording.native)) {
    started ??= event.begun;
    if (event.kind === 'mark') {
      const { name = '', data } = recording.marks[mark++] ?? {};
      yield { op: 'mark', n: event.begin, time: event.begun - started, name, data };
    } else {
      yield requestOf(event, event.kind, started, recording);
    }
  }
}

function requestOf(
  { index, device, position, length, durable, begin, end, moved, errno, begun, answered, stores }: RecordedEvent,
  op: 'write' | 'flush' | 'discard' | 'zeroes',
  started: number,
  { native }: Recording,
): TraceEvent {
  const [error] = errno === 0 ? [] : (getSystemErrorMap().get(-Math.abs(errno)) ?? ['EIO']);
  return {
    ...{ op, n: begin, time: begun - started, device, position, length },
    ...(durable === 1 && { fua: true }),
    ...(durable === 2 && { injected: UNSAFE }),
    ...(stores === 1 && { stores: true }),
    ...(end !== 0 && { done: end, latency: Math.max(0, answered - begun) }),
    ...(error !== undefined && { error }),
    ...(end !== 0 && moved !== (error === undefined ? length : 0) && { moved }),
    ...(op === 'write' && { data: answerOf(binding.recordedData(native, index)) }),
  };
}

/** What the devices held before: the state of a cut before everything. */
async function* baseOf(recording: Recording): AsyncGenerator<TraceBase, void> {
  const choice = answerOf(binding.choiceOf(recording.native, 0, new Uint8Array(0), new Float64Array(0)));
  await using state = createState(recording, choice, () => {
    throw new TypeError('a base is not recorded');
  });
  for (const [device, of] of state.devices.entries()) yield* piecesOf(of, device);
}

async function* piecesOf(of: BlockDevice, device: number): AsyncGenerator<TraceBase, void> {
  for await (const { position, length, type } of of.extents()) {
    if (type !== 'data') continue;
    for (let at = position; at < position + length; at += PIECE) {
      const data = Buffer.allocUnsafe(Math.min(PIECE, position + length - at));
      await of.read(data, at);
      if (ZEROS.compare(data, 0, data.length, 0, data.length) !== 0) yield { op: 'base', device, position: at, data };
    }
  }
}
