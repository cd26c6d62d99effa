// What recorders hear of disks that others act on as well: recorders before them, fault plans, callers that are to be named.
import { expect, test } from '@jest/globals';
import { BATCH_FLUSH, BATCH_WRITE, type BlockDevice } from 'rumpblk';
import { loadRecording, recordWrites, type Recorder } from 'rumpblk/lab';
import { memory } from 'rumpblk/media';
import { rig } from '../support/rig';

const bench = rig();
const disk = (sectors = 4): BlockDevice => bench.device(memory({ size: sectors * 512 }), { mode: 'r+' });
const put = (device: BlockDevice, sector: number, value: number): unknown => device.writeSync(Buffer.alloc(512, value), sector * 512);

/** The first byte of each sector of every state of a cut. */
function contents(recorder: Recorder, at = recorder.end): string[] {
  const found: string[] = [];
  for (const state of recorder.crashStates({ exhaustive: true, at })) {
    using own = state;
    const bytes = Buffer.alloc(own.device.size);
    own.device.readSync(bytes, 0);
    found.push(Array.from({ length: bytes.length / 512 }, (_, sector) => String(bytes[sector * 512])).join(''));
  }
  return found.sort();
}

test('a disk is recorded again as soon as a recorder has stopped', () => {
  const device = disk();
  put(device, 0, 1);
  const first = recordWrites(device);
  put(device, 0, 2);
  expect(() => recordWrites(device)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
  first.stop();
  put(device, 1, 3);
  const second = recordWrites(device);
  put(device, 0, 4);
  second.stop();
  const third = recordWrites(device);
  put(device, 0, 5);
  put(device, 2, 6);
  third.stop();
  put(device, 3, 7);
  put(device, 0, 8);
  expect(contents(first)).toEqual(['1000', '2000']);
  expect(contents(second)).toEqual(['2300', '4300']);
  expect(contents(third)).toEqual(['4300', '4360', '5300', '5360']);
});

test.each([
  ['a flush that a plan fails has lost what it was about, for later ones too', { errno: 'EIO' }, ['0000', '0100']],
  ['one that keeps it has not', { errno: 'EIO', keep: true }, ['0100']],
  ['one that is ignored covers nothing, and the next one does', { ignoreFlush: true as const }, ['0100']],
])('%s (M6)', async (_, action, expected) => {
  const device = disk();
  using recorder = recordWrites(device);
  device.driver.faults.plan({ rules: [{ match: { op: 'flush', n: 1 }, action }] });
  put(device, 1, 1);
  await device.flush().catch((error: unknown) => expect(error).toMatchObject({ injected: true }));
  device.driver.faults.clear();
  await device.flush().catch((error: unknown) => expect(error).toMatchObject({ code: 'EIO' }));
  recorder.stop();
  expect(contents(recorder)).toEqual(expected);
  await recorder.save(bench.path('m6.jsonl'));
  using loaded = await loadRecording(bench.path('m6.jsonl'));
  expect(contents(loaded)).toEqual(expected);
  await device.close().catch((error: unknown) => expect(error).toMatchObject({ code: 'EIO' }));
});

test('requests of every form name their caller', async () => {
  const device = disk();
  using recorder = recordWrites(device, { stacks: true });
  const batch = device.createBatch({ depth: 3 });
  [BATCH_WRITE, BATCH_FLUSH, BATCH_WRITE].forEach((op, i) => {
    [batch.op[i], batch.blkno[i], batch.bcount[i], batch.offset[i]] = [op, i, 512, i * 512];
  });
  const byBatch = async (): Promise<unknown> => batch.run(3);
  const byBatchSync = (): unknown => [batch.runSync(3)];
  const byWrite = async (): Promise<unknown> => device.write(Buffer.alloc(512), 0);
  for (const make of [byBatch, byBatchSync, byWrite]) {
    await make();
    const { lost } = [...recorder.crashStates({ exhaustive: true, at: recorder.end })].find((state) => state.lost.length > 0)!;
    expect(lost.map(({ stack }) => stack?.includes('recorded.test.ts') ?? false)).toEqual([true]);
    device.flushSync();
  }
});

test('flushes name their caller, also where they are those of a batch', async () => {
  const { flushMutations } = await import('rumpblk/lab');
  const run = async (device: BlockDevice): Promise<void> => {
    const byPromise = (): Promise<void> => device.flush();
    await byPromise();
    const byBatch = async (): Promise<void> => {
      const batch = device.createBatch({ depth: 2 });
      [batch.op[0], batch.bcount[0]] = [BATCH_WRITE, 512];
      batch.op[1] = BATCH_FLUSH;
      await batch.run(2);
    };
    await byBatch();
  };
  const found = await flushMutations({ size: 2048, run, check: () => true }, { stacks: true });
  expect(found.map(({ stack }) => /by(Promise|Batch)/.exec(stack ?? '')?.[0])).toEqual(['byPromise', 'byBatch']);
});
