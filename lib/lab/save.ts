// Recorder.save(): a recording as a file, in one of several formats.
import { keysOf } from '../arguments/known-keys.js';
import { hostPath, integer, oneOf, requireOptions } from '../arguments/validate.js';
import { binding, EVENT_NUMBERS } from '../native/binding.js';
import type { BlockDevice } from '../device.js';
import { createState } from './crash-state.js';
import type { SaveOptions } from './lab-types.js';
import { answerOf, type Recording } from './recording.js';
import { writeRecordingFile, type BasePiece } from './recording-file.js';

const FORMATS = { rumpblk: 0, 'dm-log-writes': 1, 'fio-iolog-2': 2, 'fio-iolog-3': 3, jsonl: 4 } as const;
const SAVE_KEYS = keysOf<SaveOptions>({ format: true, device: true });
/** Bytes that are read at a time, and looked at for zeros. */
const PIECE = 65536;
const ZEROS = Buffer.alloc(PIECE);
const WRITE = 0;

/** Writes a recording into a file. */
export async function saveRecording(recording: Recording, file: string, options: SaveOptions | undefined): Promise<void> {
  hostPath(file, 'file', 'of type string');
  if (options !== undefined) requireOptions(options, 'options', SAVE_KEYS);
  const format = oneOf(options?.format ?? 'rumpblk', 'options.format', FORMATS);
  integer(options?.device ?? 0, 'options.device', 0, recording.disks.length - 1);
  if (format === 'rumpblk') await saveWhole(recording, file);
}

async function saveWhole(recording: Recording, file: string): Promise<void> {
  const { native, settings, disks, marks, inherited } = recording;
  const rows = rowsOf(recording);
  const events = rows.length / EVENT_NUMBERS;
  const header = { v: 1, atomicUnit: settings.atomicUnit, disks, marks, inherited, events } as const;
  const data = function* (): Generator<Uint8Array> {
    for (let event = 0; event < events; event += 1) {
      if (rows[event * EVENT_NUMBERS] === WRITE) yield answerOf(binding.recordedData(native, event));
    }
  };
  await writeRecordingFile(file, { header, rows, data: data(), base: baseOf(recording) });
}

/** All events, EVENT_NUMBERS for each. */
function rowsOf({ native }: Recording): Float64Array {
  const parts: Float64Array[] = [];
  for (let from = 0; ;) {
    const part = new Float64Array(1024 * EVENT_NUMBERS);
    const count = binding.recordedEvents(native, from, part);
    if (count === 0) break;
    parts.push(part.subarray(0, count * EVENT_NUMBERS));
    from += count;
  }
  const rows = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    rows.set(part, at);
    at += part.length;
  }
  return rows;
}

/** What the devices held before: the state of a cut before everything. */
async function* baseOf(recording: Recording): AsyncGenerator<BasePiece, void> {
  const choice = answerOf(binding.choiceOf(recording.native, 0, new Uint8Array(0), new Float64Array(0)));
  await using state = createState(recording, choice, () => {
    throw new TypeError('a base is not recorded');
  });
  for (const [device, of] of state.devices.entries()) yield* piecesOf(of, device);
}

async function* piecesOf(of: BlockDevice, device: number): AsyncGenerator<BasePiece, void> {
  for await (const { position, length, type } of of.extents()) {
    if (type !== 'data') continue;
    for (let at = position; at < position + length; at += PIECE) {
      const data = Buffer.allocUnsafe(Math.min(PIECE, position + length - at));
      await of.read(data, at);
      if (ZEROS.compare(data, 0, data.length, 0, data.length) !== 0) yield { device, position: at, data };
    }
  }
}
