// Recorder and CrashState, as callers see them: each makes the other one.
import type { BlockDevice } from '../device.js';
import type { RecordOptions, StateOptions } from './options.js';
import type { LostUnit, Mark } from './report.js';

/** Forms of a recording as a file. */
export type LogFormat = 'rumpblk' | 'dm-log-writes' | 'fio-iolog-2' | 'fio-iolog-3' | 'jsonl';

/** Options of `Recorder.save()`. */
export interface SaveOptions {
  /** Form of the file; default `'rumpblk'`. */
  format?: LogFormat;
  /** Which device, of a form that has one; default 0, the first. */
  device?: number;
}

/** Legal states of one cut. */
export interface CutCount {
  /** The event that the power is cut before. */
  readonly cut: number;
  /** Units that may be there or not. */
  readonly volatile: number;
  /** Legal states: the product of the versions of each unit. */
  readonly states: bigint;
}

/**
 * Has what was written to some devices, in one order; `recordWrites()` makes it. It keeps recording until `stop()`, or the end of a
 * `using` block; states stay available after that.
 *
 * @example
 * using recorder = recordWrites(device);
 * await save(device);
 * recorder.mark('saved');
 * recorder.stop();
 * await crashTest(recorder, check);
 */
export interface Recorder extends Disposable {
  /** Counts the requests seen so far. */
  readonly requests: number;
  /** Gives the cut behind all that was recorded so far, for `isLegal` and `at`. */
  readonly end: number;
  /**
   * Says that something happened, for checks: `state.marks` has the marks before the cut. Ignored once recording was stopped.
   *
   * @param name what happened
   * @param data copied as by `structuredClone`; a dm-log-writes log keeps 479 bytes of it as JSON
   *
   * @example
   * recorder.mark('committed', { transaction: 12 });
   */
  mark(name: string, data?: unknown): void;
  /**
   * Ends recording; does nothing the second time.
   *
   * @throws {BlockDeviceError} ENOMEM, ENOSPC, EIO something could not be recorded: the recording is of no use
   *
   * @example
   * recorder.stop();
   * console.log(recorder.requests);
   */
  stop(): void;
  /**
   * Gives crash states: breadth first over the cuts, none twice, which means equal content after equal marks. `for await` lets other work go on
   * in between. Each state is to be disposed of when it was used.
   *
   * @param options which states; each has a default
   * @returns the states, one at a time; each walk begins anew, with the same seed
   * @throws {BlockDeviceError} EOVERFLOW `exhaustive: true` and more than 2^24 states; as of `stop()`
   *
   * @example
   * for (const state of recorder.crashStates({ at: { after: 'saved' }, limit: 100 })) {
   *   using _ = state;
   *   assert(isWhole(state.device));
   * }
   */
  crashStates(options?: StateOptions): AsyncIterable<CrashState> & Iterable<CrashState>;
  /**
   * Counts the legal states of each cut that counts. Nothing is generated.
   *
   * @param options `tear`, default `'atom'`; `at`, default all cuts
   * @returns the cuts in order
   *
   * @example
   * for (const { cut, states } of recorder.count()) console.log(cut, states);
   */
  count(options?: Pick<StateOptions, 'tear' | 'at'>): CutCount[];
  /**
   * Tells whether the devices may hold this after a cut; for tests of the model itself.
   *
   * @param images all bytes of each device, in the order of `recordWrites()`
   * @param at event that the power is cut before, default the end
   * @throws {BlockDeviceError} EINVAL images of another number or size
   *
   * @example
   * recorder.isLegal(Buffer.alloc(device.size)); // whether all may be zeros at the end
   */
  isLegal(images: Uint8Array | readonly Uint8Array[], at?: number): boolean;
  /**
   * Gives one state again.
   *
   * @param token as `state.token` and reports have it
   * @throws {BlockDeviceError} EINVAL no token, or of a newer version; ESTALE of a recording of other requests, with `at`: the number of the first
   *   request that differs, where the folder of recordings has that of the token
   *
   * @example
   * using state = recorder.fromToken(token);
   * console.log(contentOf(state.device));
   */
  fromToken(token: string): CrashState;
  /**
   * Writes the recording into a file. `'rumpblk'`, the default, is all of it, with the content before. `'dm-log-writes'` is the log of one device as the kernel's
   * device-mapper target makes it; `'fio-iolog-2'` and `'fio-iolog-3'` are what fio replays, without data; `'jsonl'` is our trace format with data.
   *
   * @param file path, replaced where it is there
   * @param options `format`, default `'rumpblk'`; `device`, of a format that has one, default the first
   * @throws {BlockDeviceError} errors of the host
   *
   * @example
   * await recorder.save('work.log', { format: 'dm-log-writes' });
   */
  save(file: string, options?: SaveOptions): Promise<void>;
}

/**
 * What a power cut may leave: each device as an ordinary one, which reads what is legal after the cut. Writes stay in the state.
 *
 * @example
 * for (const state of recorder.crashStates()) {
 *   using _ = state;
 *   recover(state.device);
 * }
 */
export interface CrashState extends AsyncDisposable, Disposable {
  /** Gives this state again: `rbl1.<digest>.<cut>.<runs>`, for `Recorder.fromToken()`. */
  readonly token: string;
  /**
   * Gives the devices as they are after the cut, in the order of `recordWrites()`. They are closed with the state.
   *
   * @throws {BlockDeviceError} EBADF the state was disposed of
   */
  readonly devices: readonly BlockDevice[];
  /** Gives the first of the devices. */
  readonly device: BlockDevice;
  /** Gives the number of the event that the power was cut before. */
  readonly cut: number;
  /** Gives the marks before the cut, in order. */
  readonly marks: readonly Mark[];
  /** Lists what was written before the cut and is not there, or is torn. */
  readonly lost: readonly LostUnit[];
  /**
   * Writes a device into a file, sparse, for programs that check files. The file is removed with the state.
   *
   * @param file path, replaced where it is there; default: one in a new folder, in that of RUMPBLK_LAB_DIR or the one for temporary files
   * @param device which device, default the first
   * @returns the path
   * @throws {BlockDeviceError} EBADF the state was disposed of; errors of the host
   *
   * @example
   * for await (const state of recorder.crashStates()) {
   *   await using _ = state;
   *   console.log(await state.toFile()); // for e2fsck, say
   * }
   */
  toFile(file?: string, device?: number): Promise<string>;
  /**
   * Records what is written to the devices of this state, by a recovery say, so that the power can be cut again. Marks before the cut are
   * inherited.
   *
   * @param options as of {@link recordWrites}; default those of the recording that the state is of
   * @returns a recorder
   * @throws {BlockDeviceError} EBADF the state was disposed of; EBUSY recorded already
   *
   * @example
   * for await (const state of recorder.crashStates({ limit: 10 })) {
   *   await using _ = state;
   *   using again = state.record();
   *   recover(state.device);
   *   again.stop();
   *   await crashTest(again, check);
   * }
   */
  record(options?: RecordOptions): Recorder;
}
