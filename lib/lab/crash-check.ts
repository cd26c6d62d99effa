// crashCheck() and flushMutations(): a workload on disks of its own, recorded and tested.
import { keysOf } from '../arguments/known-keys.js';
import { bytes, integer, requireOptions } from '../arguments/validate.js';
import type { BlockDevice } from '../device.js';
import { invalidArgType } from '../errors.js';
import { memory } from '../media/volatile.js';
import { binding } from '../native/binding.js';
import { open } from '../open.js';
import type { Bytes } from '../request/transfer.js';
import { accepted, crashTokenTest, runTest } from './crash-test.js';
import type { Check } from './judge.js';
import { workloadSettings, type CheckOptions, type RecordOptions, type RecordSettings } from './options.js';
import { recordingOf, recordWrites } from './recorder.js';
import type { Recorder } from './lab-types.js';
import { eventsOf, labDriver } from './recording.js';
import type { CrashReport } from './report.js';

/** A workload, and what has to hold after a power cut at any point of it. */
export interface CrashSpec {
  /** Bytes of each disk. */
  size: Bytes;
  /** Disks; default 1. */
  devices?: number;
  /** Prepares the disks; what it writes is there in every state. */
  setup?: (device: BlockDevice, ...more: BlockDevice[]) => unknown;
  /** Does what is tested, and says by `mark` what it has told the world. */
  run: (device: BlockDevice, mark: Recorder['mark'], ...more: BlockDevice[]) => unknown;
  /** Looks at a state; fails by throwing, by giving false or by giving a text. The path of a module is one whose default export it is. */
  check: Check | string;
}

/** Whether a test misses a flush. */
export interface FlushMutation {
  /** Number of the request: a flush, or a write that is durable by itself. */
  readonly flush: number;
  /** Whether the check fails when it makes nothing durable. */
  readonly seen: boolean;
  /** States that were looked at. */
  readonly checks: number;
  /** Where the request was made, with `stacks: true`. */
  readonly stack?: string;
}

const SPEC_KEYS = keysOf<CrashSpec>({ size: true, devices: true, setup: true, run: true, check: true });
const DEVICES_MAX = 64;

/**
 * Tests a workload against power cuts: on disks of its own in memory, which `setup` prepares, records `run` and checks the states that a
 * cut may leave. It gives a promise, and so is the whole body of a test of node:test, vitest or jest. With RUMPBLK_CRASH_TOKEN in the
 * environment it checks that one state alone.
 *
 * @param spec the workload and its check
 * @param options those of {@link crashTest} and of {@link recordWrites}; each has a default
 * @returns what was done, when nothing failed
 * @throws {CrashError} a state is not accepted; its message is the report
 * @throws {BlockDeviceError} ESTALE the token is of another workload; as of {@link crashTest}; and whatever `setup` and `run` throw
 *
 * @example
 * test('the counter survives', () =>
 *   crashCheck({
 *     size: 65536,
 *     run: async (device, mark) => {
 *       await device.write(Buffer.from('1'), 0);
 *       await device.flush();
 *       mark('done');
 *     },
 *     check: ({ device, marks }) => marks.length === 0 || contentOf(device) === '1',
 *   }));
 */
export async function crashCheck(spec: CrashSpec, options?: CheckOptions & RecordOptions): Promise<CrashReport> {
  const { check, record } = workloadSettings(options);
  return withWorkload(spec, record, async (recorder) => {
    const token = process.env['RUMPBLK_CRASH_TOKEN'];
    if (token !== undefined && token !== '') return accepted(await crashTokenTest(recorder, spec.check, token, check));
    return accepted(await runTest(recordingOf(recorder, 'recorder'), spec.check, check));
  });
}

/**
 * Tests a test: leaves out each flush of the workload, and each write that is durable by itself, one at a time, and says whether the check sees it.
 * One that nobody misses is redundant, or the check does not cover what it is for. The workload runs once; of the states without a flush the check sees those
 * that are none with it.
 *
 * @param spec the workload and its check
 * @param options those of {@link crashTest} and of {@link recordWrites}
 * @returns a row for each of them, in their order
 * @throws {CrashError} the check fails with all of them there
 *
 * @example
 * for (const { flush, seen } of await flushMutations({ size: 65536, run: save, check })) {
 *   if (!seen) console.log(`nobody misses flush ${flush}`);
 * }
 */
export async function flushMutations(spec: CrashSpec, options?: CheckOptions & RecordOptions): Promise<FlushMutation[]> {
  const { check, record } = workloadSettings(options);
  return withWorkload(spec, record, async (recorder) => {
    const recording = recordingOf(recorder, 'recorder');
    accepted(await runTest(recording, spec.check, check));
    const rows: FlushMutation[] = [];
    for (const { index, kind, durable, stack } of eventsOf(recording.native)) {
      if (kind !== 'flush' && !(durable === 1 && kind !== 'mark')) continue;
      const without = { ...recording, native: binding.recordingWithout(recording.native, index) };
      const { failures, checked, fromMemo } = await runTest(without, spec.check, {
        ...check,
        failures: 1,
        shrink: 0,
        isKept: false,
        beyond: true,
      });
      const site = recording.stacks[stack];
      rows.push({ flush: index, seen: failures.length > 0, checks: checked + fromMemo, ...(site !== undefined && { stack: site }) });
    }
    return rows;
  });
}

async function withWorkload<T>(spec: CrashSpec, record: RecordSettings, use: (recorder: Recorder) => Promise<T>): Promise<T> {
  requireOptions(spec, 'spec', SPEC_KEYS);
  const { size: given, devices: count = 1, setup, run } = spec;
  const size = bytes(given, 'spec.size');
  integer(count, 'spec.devices', 1, DEVICES_MAX);
  if (setup !== undefined && typeof setup !== 'function') throw invalidArgType('spec.setup', 'of type function', setup);
  if (typeof run !== 'function') throw invalidArgType('spec.run', 'of type function', run);
  const devices: BlockDevice[] = [];
  try {
    for (let i = 0; i < count; i += 1) devices.push(await open(memory({ size, name: `disk ${i}` }), { mode: 'r+', driver: labDriver() }));
    const [device, ...more] = devices as [BlockDevice, ...BlockDevice[]];
    await setup?.(device, ...more);
    using recorder = recordWrites(devices, record);
    await run(device, (name, data) => recorder.mark(name, data), ...more);
    recorder.stop();
    return await use(recorder);
  } finally {
    await Promise.all(devices.map((device) => device.close()));
  }
}
