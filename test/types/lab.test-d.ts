// The laboratory as callers write it, and what must not compile. Never run.
import fc from 'fast-check';
import { BlockDevice } from 'rumpblk';
import {
  CrashError,
  crashCheck,
  crashStates,
  crashTest,
  flushMutations,
  loadRecording,
  recordWrites,
  type CrashReport,
  type CrashState,
  type CutCount,
  type FlushMutation,
  type Mark,
  type Recorder,
  type Tear,
} from 'rumpblk/lab';
import type { Equal, Expect, Extends } from './expect.js';

export type Shapes = [
  Expect<Equal<ReturnType<typeof recordWrites>, Recorder>>,
  Expect<Equal<ReturnType<typeof crashTest>, Promise<CrashReport>>>,
  Expect<Equal<ReturnType<typeof crashCheck>, Promise<CrashReport>>>,
  Expect<Equal<ReturnType<typeof flushMutations>, Promise<FlushMutation[]>>>,
  Expect<Equal<ReturnType<typeof loadRecording>, Promise<Recorder>>>,
  Expect<Equal<CrashState['devices'], readonly BlockDevice[]>>,
  Expect<Equal<CrashState['marks'], readonly Mark[]>>,
  Expect<Equal<CutCount['states'], bigint>>,
  Expect<Equal<Tear, 'none' | 'atom' | 'shorn' | 'garbage'>>,
  Expect<Extends<CrashError, Error>>,
];

export async function accepted(device: BlockDevice): Promise<unknown[]> {
  using recorder = recordWrites([device, device], { atomicUnit: 4096, leases: 'diff', stacks: true, memory: 0, directory: '/tmp' });
  recorder.mark('done', { n: 1 });
  recorder.stop();
  for (const state of recorder.crashStates({ at: 3, tear: 'none' })) state[Symbol.dispose]();
  for await (const state of recorder.crashStates({ at: { before: 'done' }, exhaustive: true, strength: 3 })) await state.toFile('x', 1);
  const states: bigint[] = recorder.count().map((cut) => cut.states);
  using state = recorder.fromToken('rbl1.0.0.');
  using recovery = state.record({ atomicUnit: 512 });
  await recorder.save('log', { format: 'dm-log-writes', device: 1 });
  const loaded = await loadRecording('log', { base: device, atomicUnit: 512 });
  const report = await crashTest(loaded, async ({ marks }) => marks.length, {
    workers: 1,
    memo: false,
    again: 2,
    failures: 3,
    shrink: 0,
    budget: 1e9,
    discard: 'any',
    collateral: true,
    run: 4096,
  });
  await crashTest(loaded, 'check.mjs', { workers: 2 });
  await crashCheck(
    { size: 512, devices: 2, run: (_, mark, second) => mark('second', second), check: () => true },
    { seed: 1, stacks: true },
  );
  await fc.assert(fc.asyncProperty(crashStates(fc, recorder), async (one) => one.device.size > 0));
  return [states, recovery, report.leases, report.failures[0]?.lost[0]?.sector, recorder.isLegal(new Uint8Array(512), 3)];
}

export function refused(device: BlockDevice, recorder: Recorder): void {
  // @ts-expect-error no such option of a recording
  recordWrites(device, { sectorSize: 512 });
  // @ts-expect-error not a way to tear
  recorder.crashStates({ tear: 'half' });
  // @ts-expect-error not a number of losses
  recorder.crashStates({ strength: 4 });
  // @ts-expect-error nothing that a discard leaves
  recorder.crashStates({ discard: 'old' });
  // @ts-expect-error it can only be read
  recorder.requests = 1;
  // @ts-expect-error a spec without a check
  void crashCheck({ size: 512, run: () => undefined });
}
