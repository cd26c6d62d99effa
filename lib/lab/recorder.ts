// Recorder: what was written to devices since recordWrites(), in one order, and the states that a power cut may have left.
import { inspect, type InspectOptions } from 'node:util';
import { listOf, text } from '../arguments/validate.js';
import { BlockDevice, handleOf } from '../device.js';
import { ESTALE, fromFailure, invalidArgType, invalidThis, isFailure, type BlockDeviceError } from '../errors.js';
import { binding, LEASES, TEAR, type NativeChoice } from '../native/binding.js';
import { keepCallSites } from './call-sites.js';
import { createState } from './crash-state.js';
import { cutRange, Exploration } from './exploration.js';
import { countSettings, recordSettings, stateSettings, type RecordOptions, type RecordSettings, type StateOptions } from './options.js';
import { firstDifference } from './kept-recordings.js';
import { answerOf, infoOf, type Recording } from './recording.js';
import { saveRecording } from './save.js';
import type { CrashState, CutCount, Recorder, SaveOptions } from './lab-types.js';
import type { Mark } from './report.js';

/** Devices of one recording. */
const DEVICES_MAX = 64;
/** Milliseconds that a walk keeps the event loop for. */
const TURN = 10;

/** Gives the recording of a recorder; `value` may be a foreign object. */
export let recordingOf: (value: unknown, name: string) => Recording;

class WriteRecorder implements Recorder {
  readonly #recording: Recording;
  readonly #end: () => void;

  static {
    recordingOf = (value, name) => {
      if (typeof value !== 'object' || value === null || !(#recording in value))
        throw invalidArgType(name, 'an instance of Recorder', value);
      return value.#recording;
    };
  }

  constructor(recording: Recording, end: () => void) {
    this.#recording = recording;
    this.#end = end;
  }

  get requests(): number {
    return infoOf(WriteRecorder.#of(this)).requests;
  }

  get end(): number {
    return infoOf(WriteRecorder.#of(this)).end;
  }

  mark(name: string, data?: unknown): void {
    const recording = WriteRecorder.#of(this);
    const mark = { name: text(name, 'name'), data: structuredClone(data) };
    const event = binding.recordMark(recording.native);
    recording.marks.push(mark);
    recording.markEvents.push(event);
  }

  stop(): void {
    const { native } = WriteRecorder.#of(this);
    this.#end();
    const outcome = binding.recordStop(native);
    if (typeof outcome !== 'number') throw fromFailure(outcome, {});
  }

  /** Ends recording as `stop()` does, at the end of a `using` block. */
  [Symbol.dispose](): void {
    WriteRecorder.prototype.stop.call(this);
  }

  crashStates(options?: StateOptions): AsyncIterable<CrashState> & Iterable<CrashState> {
    const recording = WriteRecorder.#of(this);
    const settings = stateSettings(options);
    const stateOf = (choice: NativeChoice): CrashState => createState(recording, choice, recordRecovery);
    return {
      *[Symbol.iterator]() {
        const walk = new Exploration(recording, settings);
        for (let choice = walk.next(); choice !== undefined; choice = walk.next()) yield stateOf(choice);
      },
      async *[Symbol.asyncIterator]() {
        const walk = new Exploration(recording, settings);
        const turn = takeTurns();
        for (let choice = walk.next(); choice !== undefined; choice = walk.next()) {
          yield stateOf(choice);
          await turn();
        }
      },
    };
  }

  count(options?: Pick<StateOptions, 'tear' | 'at'>): CutCount[] {
    const recording = WriteRecorder.#of(this);
    const { tear, at } = countSettings(options);
    const rows = answerOf(binding.countStates(recording.native, TEAR[tear], ...cutRange(recording, at)));
    const counts: CutCount[] = [];
    for (let i = 0; i < rows.length;) {
      const [cut = 0, units = 0, kinds = 0] = rows.subarray(i, i + 3);
      i += 3;
      let states = 1n;
      for (let kind = 0; kind < kinds; kind += 1, i += 2) states *= BigInt(rows[i] ?? 1) ** BigInt(rows[i + 1] ?? 0);
      counts.push({ cut, volatile: units, states });
    }
    return counts;
  }

  isLegal(images: Uint8Array | readonly Uint8Array[], at?: number): boolean {
    const recording = WriteRecorder.#of(this);
    const given = images instanceof Uint8Array ? [images] : listOf(images, 'images', DEVICES_MAX, imageOf);
    const { end } = infoOf(recording);
    const [cut] = cutRange(recording, stateSettings({ at: at ?? end }).at);
    return answerOf(binding.isLegal(recording.native, given, cut));
  }

  fromToken(token: string): CrashState {
    const recording = WriteRecorder.#of(this);
    const choice = binding.choiceFromToken(recording.native, text(token, 'token'));
    if (!isFailure(choice)) return createState(recording, choice, recordRecovery);
    const error = fromFailure(choice, {});
    if (error.errno === -ESTALE) throw staleError(error, recording, token);
    throw error;
  }

  async save(file: string, options?: SaveOptions): Promise<void> {
    await saveRecording(WriteRecorder.#of(this), file, options);
  }

  /** @internal What `console.log` shows. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    if (!(#recording in this)) return 'Recorder {}';
    const { disks, marks } = this.#recording;
    return `Recorder ${inspect({ devices: disks.map(({ name }) => name), requests: this.requests, marks: marks.length }, options)}`;
  }

  static #of(value: unknown): Recording {
    if (typeof value !== 'object' || value === null || !(#recording in value)) throw invalidThis('Recorder');
    return value.#recording;
  }
}

/**
 * Makes the recorder of a recording.
 *
 * @param end is called when it stops
 */
export function createRecorder(recording: Recording, end: () => void): Recorder {
  return new WriteRecorder(recording, end);
}

/**
 * Records writes, discards, zeroes, flushes and FUA of devices from now on, in one order for all of them, made through any open of
 * the same minors: promise and Sync forms, batches and `strategy`, partitions. What other processes write is not seen.
 *
 * @param devices devices that are open `'r+'`; this call flushes them, and what they hold now is the base of all states
 * @param options `atomicUnit`, default 512; `leases`, default `'refuse'`; `stacks`, default false; `memory`, default 256 MiB; `directory`
 * @returns the recorder
 * @throws {BlockDeviceError} EBADF closed; EACCES mode 'r'; EBUSY recorded already; ENOTSUP a lease is held
 *
 * @example
 * const recorder = recordWrites(device, { atomicUnit: 4096 });
 */
export function recordWrites(devices: BlockDevice | readonly BlockDevice[], options?: RecordOptions): Recorder {
  return recordFrom(devices, recordSettings(options), []);
}

/** Records what is written to the devices of a state. */
export function recordRecovery(state: CrashState, options: RecordOptions | undefined): Recorder {
  return recordFrom(state.devices, recordSettings(options), state.marks);
}

function recordFrom(given: unknown, settings: RecordSettings, inherited: readonly Mark[]): Recorder {
  const devices = given instanceof BlockDevice ? [given] : listOf(given, 'devices', DEVICES_MAX, deviceOf);
  if (devices.length === 0) throw invalidArgType('devices', 'at least one BlockDevice', given);
  const handles = devices.map((device) => handleOf(device, 'recordWrites'));
  const { atomicUnit, leases, memory, directory, stacks: keepsStacks } = settings;
  const requests = handles.map((handle) => handle.requests);
  const native = binding.recordWrites(requests, atomicUnit, LEASES[leases], memory, Buffer.from(directory));
  if (isFailure(native)) throw fromFailure(native, handles[0] ?? {});
  const disks = devices.map(({ path, size }) => ({ name: path, size }));
  const stacks: string[] = [];
  const release = keepsStacks ? keepCallSites(native, stacks) : () => undefined;
  const recording = { native, settings, disks, marks: [...inherited], inherited: inherited.length, markEvents: [], stacks };
  return createRecorder(recording, release);
}

function deviceOf(value: unknown, name: string): BlockDevice {
  if (!(value instanceof BlockDevice)) throw invalidArgType(name, 'an instance of BlockDevice', value);
  return value;
}

function imageOf(value: unknown, name: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw invalidArgType(name, 'an instance of Uint8Array', value);
  return value;
}

/** Says which request differs, where the recording that a token is of can be found. */
function staleError(error: BlockDeviceError, recording: Recording, token: string): BlockDeviceError & { at?: number } {
  const at = firstDifference(recording.native, token, recording.settings.directory);
  return at === undefined ? error : Object.assign(error, { at });
}

/** Lets others have the event loop now and then. */
function takeTurns(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < TURN) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        since = performance.now();
        resolve();
      });
    });
  };
}
