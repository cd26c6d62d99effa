// CrashState: what a power cut may leave of some devices, as devices.
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { inspect, type InspectOptions } from 'node:util';
import { hostPath, integer } from '../arguments/validate.js';
import { copyBy } from '../copy/copy.js';
import type { BlockDevice } from '../device.js';
import { closedError, illegalConstructor, invalidThis, markCopy } from '../errors.js';
import { MediumHandle } from '../media/medium.js';
import { binding, type NativeChoice, type NativeState } from '../native/binding.js';
import { openSync } from '../open.js';
import { labFolder, type RecordOptions } from './options.js';
import { labDriver, unitsOf, type Recording } from './recording.js';
import type { Recorder } from './recorder.js';
import type { LostUnit, Mark } from './report.js';

/** Nothing outside this file can name it, so that only createState() can construct. */
const KEY = Symbol('createState');

/** Records what is written to the devices of a state. */
export type RecordState = (state: CrashState, options: RecordOptions | undefined) => Recorder;

/** Makes the state of a choice. */
export let createState: (recording: Recording, choice: NativeChoice, record: RecordState) => CrashState;
/** Gives what a state is natively; undefined of one whose devices nobody has asked for. */
export let nativeStateOf: (state: CrashState) => NativeState | undefined;
/** Gives which state it is. */
export let choiceOfState: (state: CrashState) => NativeChoice;
/** Tells whether somebody asked a state for something else than its devices and marks, on which what a check says may depend. */
export let isSeenThrough: (state: CrashState) => boolean;

/**
 * What a power cut may leave: each device as an ordinary one, which reads what is legal after the cut. Writes stay in the state.
 *
 * @example
 * for (const state of recorder.crashStates()) {
 *   using _ = state;
 *   recover(state.device);
 * }
 */
export class CrashState implements AsyncDisposable, Disposable {
  readonly #recording: Recording;
  readonly #choice: NativeChoice;
  readonly #record: RecordState;
  readonly #cut: number;
  readonly #markCount: number;
  #native: NativeState | undefined;
  #devices: readonly BlockDevice[] | undefined;
  #folders: string[] = [];
  #disposed = false;
  #seenThrough = false;

  static {
    markCopy(CrashState);
    createState = (...given) => new CrashState(KEY, ...given);
    nativeStateOf = (state) => state.#native;
    choiceOfState = (state) => CrashState.#of(state).#choice;
    isSeenThrough = (state) => state.#seenThrough;
  }

  private constructor(key: symbol, recording: Recording, choice: NativeChoice, record: RecordState) {
    if (key !== KEY) throw illegalConstructor();
    const [cut, marks] = binding.choiceCut(choice);
    this.#recording = recording;
    this.#choice = choice;
    this.#record = record;
    this.#cut = cut;
    this.#markCount = recording.inherited + marks;
  }

  /** Gives this state again: `rbl1.<digest>.<cut>.<runs>`, for `Recorder.fromToken()`. */
  get token(): string {
    const self = CrashState.#of(this);
    self.#seenThrough = true;
    return binding.choiceToken(self.#choice);
  }

  /**
   * Gives the devices as they are after the cut, in the order of `recordWrites()`. They are closed with the state.
   *
   * @throws {BlockDeviceError} EBADF the state was disposed of
   */
  get devices(): readonly BlockDevice[] {
    const self = CrashState.#of(this);
    return (self.#devices ??= self.#open());
  }

  /** Gives the first of the devices. */
  get device(): BlockDevice {
    return CrashState.#of(this).devices[0] as BlockDevice;
  }

  /** Gives the number of the event that the power was cut before. */
  get cut(): number {
    const self = CrashState.#of(this);
    self.#seenThrough = true;
    return self.#cut;
  }

  /** Gives the marks before the cut, in order. */
  get marks(): readonly Mark[] {
    const self = CrashState.#of(this);
    return self.#recording.marks.slice(0, self.#markCount);
  }

  /** Lists what was written before the cut and is not there, or is torn. */
  get lost(): readonly LostUnit[] {
    const self = CrashState.#of(this);
    self.#seenThrough = true;
    return unitsOf(self.#recording, self.#choice, false);
  }

  /**
   * Writes a device into a file, sparse, for programs that check files. The file is removed with the state.
   *
   * @param file path, replaced where it is there; default: one in a new folder, in that of RUMPBLK_LAB_DIR or the one for temporary files
   * @param device which device, default the first
   * @returns the path
   * @throws {BlockDeviceError} EBADF the state was disposed of; errors of the host
   */
  async toFile(file?: string, device = 0): Promise<string> {
    const self = CrashState.#of(this);
    const { devices } = self;
    const from = devices[integer(device, 'device', 0, devices.length - 1)] as BlockDevice;
    const target = file === undefined ? path.join(mkdtempSync(path.join(labFolder(), 'rumpblk-state-')), 'disk.img') : file;
    hostPath(target, 'file', 'of type string');
    self.#seenThrough = true;
    self.#folders.push(file === undefined ? path.dirname(target) : target);
    await copyBy(from, target, { sparse: 'detect', flush: false }, {});
    return target;
  }

  /**
   * Records what is written to the devices of this state, by a recovery say, so that the power can be cut again. Marks before the cut are
   * inherited.
   *
   * @param options as of {@link recordWrites}; default those of the recording that the state is of
   * @returns a recorder
   * @throws {BlockDeviceError} EBADF the state was disposed of; EBUSY recorded already
   */
  record(options?: RecordOptions): Recorder {
    const self = CrashState.#of(this);
    self.#seenThrough = true;
    return self.#record(self, options);
  }

  /** Closes the devices and removes the files, at the end of a `using` block. Does nothing the second time. */
  [Symbol.dispose](): void {
    const self = CrashState.#of(this);
    if (self.#disposed) return;
    for (const device of self.#devices ?? []) device.closeSync();
    self.#end();
  }

  /** Closes the devices and removes the files when requests on them are done, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    const self = CrashState.#of(this);
    if (self.#disposed) return;
    await Promise.all((self.#devices ?? []).map((device) => device.close()));
    self.#end();
  }

  /** @internal What `console.log` shows. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    if (!(#choice in this)) return 'CrashState {}';
    return `CrashState ${inspect({ token: binding.choiceToken(this.#choice), cut: this.#cut, marks: this.#markCount }, options)}`;
  }

  #open(): readonly BlockDevice[] {
    if (this.#disposed) throw closedError('crash state', 'devices');
    this.#native ??= binding.stateOf(this.#choice);
    const devices: BlockDevice[] = [];
    try {
      for (const [index, { name, size }] of this.#recording.disks.entries()) {
        const native = binding.stateMedium(this.#native, index, Buffer.from(name));
        const medium = new MediumHandle(native, { kind: 'memory', name, size });
        devices.push(openSync(medium, { mode: 'r+', driver: labDriver() }));
      }
    } catch (error) {
      for (const device of devices) device.closeSync();
      throw error;
    }
    return Object.freeze(devices);
  }

  #end(): void {
    this.#disposed = true;
    for (const made of this.#folders.splice(0)) rmSync(made, { force: true, recursive: true });
    if (this.#native !== undefined) binding.stateRelease(this.#native);
  }

  static #of(value: unknown): CrashState {
    if (typeof value !== 'object' || value === null || !(#choice in value)) throw invalidThis('CrashState');
    return value as CrashState;
  }
}
