// CrashState: what a power cut may leave of some devices, as devices.
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { inspect, type InspectOptions } from 'node:util';
import { hostPath, integer } from '../arguments/validate.js';
import { copyBy } from '../copy/copy.js';
import type { BlockDevice } from '../device.js';
import { closedError, invalidThis } from '../errors.js';
import { MediumHandle } from '../media/medium.js';
import { binding, type NativeChoice, type NativeState } from '../native/binding.js';
import { openSync } from '../open.js';
import { labFolder, type RecordOptions } from './options.js';
import { answerOf, labDriver, unitsOf, type Recording } from './recording.js';
import type { CrashState, Recorder } from './lab-types.js';
import type { LostUnit, Mark } from './report.js';

/** Records what is written to the devices of a state. */
export type RecordState = (state: CrashState, options: RecordOptions | undefined) => Recorder;

/** Gives what a state is natively; undefined of one whose devices nobody has asked for. */
export let nativeStateOf: (state: CrashState) => NativeState | undefined;
/** Gives which state it is. */
export let choiceOfState: (state: CrashState) => NativeChoice;
/** Tells whether somebody asked a state for something else than its devices and marks, on which what a check says may depend. */
export let isSeenThrough: (state: CrashState) => boolean;

/** A state by its choice: nothing is made of it before somebody asks for its devices. */
class ChosenState implements CrashState {
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
    nativeStateOf = (state) => ChosenState.#of(state).#native;
    choiceOfState = (state) => ChosenState.#of(state).#choice;
    isSeenThrough = (state) => ChosenState.#of(state).#seenThrough;
  }

  constructor(recording: Recording, choice: NativeChoice, record: RecordState) {
    const [cut = 0, marks = 0] = binding.choiceCut(choice);
    this.#recording = recording;
    this.#choice = choice;
    this.#record = record;
    this.#cut = cut;
    this.#markCount = recording.inherited + marks;
  }

  get token(): string {
    const self = ChosenState.#of(this);
    self.#seenThrough = true;
    return binding.choiceToken(self.#choice);
  }

  get devices(): readonly BlockDevice[] {
    const self = ChosenState.#of(this);
    return (self.#devices ??= self.#open());
  }

  get device(): BlockDevice {
    return ChosenState.#of(this).devices[0] as BlockDevice;
  }

  get cut(): number {
    const self = ChosenState.#of(this);
    self.#seenThrough = true;
    return self.#cut;
  }

  get marks(): readonly Mark[] {
    const self = ChosenState.#of(this);
    return self.#recording.marks.slice(0, self.#markCount);
  }

  get lost(): readonly LostUnit[] {
    const self = ChosenState.#of(this);
    self.#seenThrough = true;
    return unitsOf(self.#recording, self.#choice, false);
  }

  async toFile(file?: string, device = 0): Promise<string> {
    const self = ChosenState.#of(this);
    const { devices } = self;
    const from = devices[integer(device, 'device', 0, devices.length - 1)] as BlockDevice;
    const target = file === undefined ? path.join(mkdtempSync(path.join(labFolder(), 'rumpblk-state-')), 'disk.img') : file;
    hostPath(target, 'file', 'of type string');
    self.#seenThrough = true;
    self.#folders.push(file === undefined ? path.dirname(target) : target);
    await copyBy(from, target, { sparse: 'detect', flush: false }, {});
    return target;
  }

  record(options?: RecordOptions): Recorder {
    const self = ChosenState.#of(this);
    self.#seenThrough = true;
    return self.#record(self, options);
  }

  /** Closes the devices and removes the files, at the end of a `using` block. Does nothing the second time. */
  [Symbol.dispose](): void {
    const self = ChosenState.#of(this);
    if (self.#disposed) return;
    for (const device of self.#devices ?? []) device.closeSync();
    self.#end();
  }

  /** Closes the devices and removes the files when requests on them are done, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    const self = ChosenState.#of(this);
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
        const native = answerOf(binding.stateMedium(this.#native, index, Buffer.from(name)), name);
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

  static #of(value: unknown): ChosenState {
    if (typeof value !== 'object' || value === null || !(#choice in value)) throw invalidThis('CrashState');
    return value;
  }
}

/** Makes the state of a choice. */
export function createState(recording: Recording, choice: NativeChoice, record: RecordState): CrashState {
  return new ChosenState(recording, choice, record);
}
