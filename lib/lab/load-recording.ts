// loadRecording(): a recorder of what a file says was written.
import { keysOf } from '../arguments/known-keys.js';
import { hostPath, requireOptions, sectorSizeOf } from '../arguments/validate.js';
import { handleOf, type BlockDevice } from '../device.js';
import { EINVAL, fromFailure, isFailure } from '../errors.js';
import { memory } from '../media/volatile.js';
import { binding, EVENT_KINDS, EVENT_NUMBERS } from '../native/binding.js';
import { open } from '../open.js';
import type { Bytes } from '../request/transfer.js';
import { recordSettings } from './options.js';
import { createRecorder } from './recorder.js';
import type { Recorder } from './lab-types.js';
import { labDriver } from './recording.js';
import { ownError, RecordingFile } from './recording-file.js';

/** Options of {@link loadRecording}. */
export interface LoadOptions {
  /** What the devices held before: a path or a device; default zeros. Not of a recording that has it. */
  base?: string | BlockDevice;
  /** Bytes that the medium writes as one; default what the file says, else 512. */
  atomicUnit?: Bytes;
}

const LOAD_KEYS = keysOf<LoadOptions>({ base: true, atomicUnit: true }, { sectorSize: "'atomicUnit'", image: "'base'" });
const [WRITE, MARK] = [EVENT_KINDS.indexOf('write'), EVENT_KINDS.indexOf('mark')];
const BEGIN_AT = 5;

/**
 * Reads a recording from a file.
 *
 * @param file as `Recorder.save()` writes it
 * @param options `base`; `atomicUnit`, default that of the recording
 * @returns a recorder that has stopped
 * @throws {BlockDeviceError} EINVAL no recording, or damaged; EIO it ends too early; errors of the host
 *
 * @example
 * const recorder = await loadRecording('/tmp/rumpblk-lab-1a2b3c4d.rbl');
 * using state = recorder.fromToken(token);
 */
export async function loadRecording(file: string, options?: LoadOptions): Promise<Recorder> {
  hostPath(file, 'file', 'of type string');
  if (options !== undefined) requireOptions(options, 'options', LOAD_KEYS);
  const atomicUnit = options?.atomicUnit === undefined ? undefined : sectorSizeOf(options.atomicUnit, 'options.atomicUnit');
  return RecordingFile.with(file, (from) => loadWhole(from, file, atomicUnit));
}

async function loadWhole(from: RecordingFile, file: string, atomicUnit: number | undefined): Promise<Recorder> {
  const { disks, marks, inherited, events, ...header } = await from.header();
  const rows = await from.rows(events);
  const data: Buffer[] = [];
  for (let event = 0; event < events; event += 1) if (rows[event * EVENT_NUMBERS] === WRITE) data.push(await from.data());
  const devices: BlockDevice[] = [];
  try {
    for (const { name, size } of disks) devices.push(await open(memory({ size, name }), { mode: 'r+', driver: labDriver() }));
    for await (const { device, position, data: bytes } of from.base()) {
      const target = devices[device];
      if (target === undefined) throw ownError(EINVAL, file, 'it names a device that it has not');
      await target.write(bytes, position);
    }
    await from.end();
    const settings = recordSettings({ atomicUnit: atomicUnit ?? header.atomicUnit });
    const requests = devices.map((device) => handleOf(device, 'recordWrites').requests);
    const native = binding.recordingOver(requests, settings.atomicUnit, settings.memory, Buffer.from(settings.directory));
    if (isFailure(native)) throw fromFailure(native, { path: file });
    const markEvents: number[] = [];
    let next = 0;
    for (let event = 0; event < events; event += 1) {
      const row = rows.slice(event * EVENT_NUMBERS, (event + 1) * EVENT_NUMBERS - 1);
      if (row[0] === MARK) markEvents.push(row[BEGIN_AT] as number);
      const outcome = binding.recordingAdd(native, row, row[0] === WRITE ? data[next++] : undefined);
      if (typeof outcome !== 'number') throw fromFailure(outcome, { path: file });
    }
    return createRecorder({ native, settings, disks, marks: [...marks], inherited, markEvents, stacks: [] }, () => undefined);
  } finally {
    await Promise.all(devices.map((device) => device.close()));
  }
}
