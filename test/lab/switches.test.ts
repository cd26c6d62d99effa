// What the laboratory does where it is asked to: discards that leave anything, neighbours that are destroyed, runs, leases.
import { expect, test } from '@jest/globals';
import { openSync, type BlockDevice } from 'rumpblk';
import { CrashError, crashTest, loadRecording, recordWrites, type Recorder, type StateOptions } from 'rumpblk/lab';
import { memory } from 'rumpblk/media';
import { rig } from '../support/rig';

const bench = rig();
const disk = (sectors = 4): BlockDevice => bench.keep(openSync(memory({ size: sectors * 512 }), { mode: 'r+' }));
const put = (device: BlockDevice, sector: number, value: number): unknown => device.writeSync(Buffer.alloc(512, value), sector * 512);

/** What a device holds: a digit for each sector, x for one that is not one byte all over. */
function sectors(device: BlockDevice): string {
  const bytes = Buffer.alloc(device.size);
  device.readSync(bytes, 0);
  const digit = (sector: Buffer): string => (sector.every((byte) => byte === sector[0]) ? String(sector[0]) : 'x');
  return Array.from({ length: bytes.length / 512 }, (_, i) => digit(bytes.subarray(i * 512, (i + 1) * 512))).join('');
}

function contents(recorder: Recorder, options: StateOptions = {}): string[] {
  const found = new Set<string>();
  for (const state of recorder.crashStates({ at: recorder.end, seed: 1, samples: 200, ...options })) {
    using own = state;
    using again = recorder.fromToken(own.token);
    expect(sectors(again.device)).toBe(sectors(own.device));
    found.add(sectors(own.device));
  }
  return [...found].sort();
}

test('what was discarded may read as anything, with discard: any (M9)', async () => {
  const device = disk(16);
  put(device, 0, 1);
  using recorder = recordWrites(device, { atomicUnit: 4096 });
  await device.discard(0, 4096);
  const heads = (options: StateOptions): string[] => [...new Set(contents(recorder, options).map((text) => text[0] as string))];
  expect(heads({})).toEqual(['0', '1']);
  expect(heads({ discard: 'any' })).toEqual(['0', '1', 'x']);
  device.flushSync();
  expect(heads({})).toEqual(['0']);
  expect(heads({ discard: 'any' })).toEqual(['0', 'x']);
  recorder.stop();
  // What is found is the discard whose zeros are not there.
  const options = { discard: 'any', seed: 1 } as const;
  const error = (await crashTest(recorder, (state) => sectors(state.device)[0] !== 'x', options).catch(
    (reason: unknown) => reason,
  )) as CrashError;
  expect(error).toBeInstanceOf(CrashError);
  const [failure] = error.report.failures;
  expect([failure?.lost, failure?.kept]).toEqual([[{ request: 0, device: 0, sector: 0, sectors: 8, how: 'garbage' }], []]);
});

test('a write of a part of a unit destroys the neighbours, with collateral (M10)', async () => {
  const device = disk();
  for (let i = 0; i < 4; i += 1) put(device, i, 1);
  using recorder = recordWrites(device);
  device.writeSync(Buffer.alloc(100, 2), 512 + 50);
  expect(contents(recorder)).toEqual(['1111', '1x11']);
  expect(contents(recorder, { collateral: true })).toEqual(['1111', '1x11', 'xxx1']);
  recorder.stop();
  const safe = (options: object): Promise<unknown> =>
    crashTest(recorder, (state) => sectors(state.device)[0] === '1' && sectors(state.device)[2] === '1', {
      seed: 1,
      samples: 200,
      ...options,
    });
  await expect(safe({})).resolves.toMatchObject({ failures: [] });
  await expect(safe({ tear: 'shorn' })).resolves.toMatchObject({ failures: [] });
  await expect(safe({ collateral: true })).rejects.toMatchObject({
    report: {
      failures: [
        {
          lost: [
            { sector: 0, how: 'garbage' },
            { sector: 2, how: 'garbage' },
          ],
        },
      ],
    },
  });
});

test('neighbours are lost or kept together, with run (M11)', () => {
  const device = disk(64);
  using recorder = recordWrites(device);
  device.writeSync(Buffer.alloc(64 * 512, 1), 0);
  const blocks = (options: StateOptions): number =>
    contents(recorder, { samples: 30, ...options }).filter(
      (text) => /^(?:0{8}|1{8})+$/.test(text) && text.includes('0') && text.includes('1'),
    ).length;
  expect(blocks({})).toBe(0);
  expect(blocks({ run: 4096 })).toBeGreaterThan(4);
});

test('stores through a lease are recorded, with leases: diff, and the report says what it cannot know (M8)', async () => {
  const device = bench.keep(openSync(bench.sparse(16384), { mode: 'r+' }));
  using recorder = recordWrites(device, { leases: 'diff' });
  const view = device.mapSync(4096, 2048);
  view.bytes.fill(1, 0, 512);
  recorder.mark('first');
  view.bytes.fill(2, 512, 1024);
  view.release();
  device.flushSync();
  const other = device.mapSync(0, 512);
  other.bytes.fill(3);
  // On request, too: it is lent still.
  const heads = (options: StateOptions): string[] => [...new Set(contents(recorder, options).map((text) => text[0]! + text.slice(8, 11)))];
  expect(heads({})).toEqual(['0120', '3120', 'x120']);
  other.release();
  recorder.stop();
  expect(recorder.requests).toBe(4);
  const report = await crashTest(recorder, ({ device: of, marks }) => marks.length === 0 || sectors(of).length > 0, { seed: 1, limit: 50 });
  expect(report).toMatchObject({ leases: 'under-approximated', complete: false });
  const file = bench.path('leases.jsonl');
  await recorder.save(file);
  using loaded = await loadRecording(file);
  expect(contents(loaded)).toEqual(contents(recorder));
});

test('leases are refused by default, and while another recorder that refuses them wants to know what was there', () => {
  const device = bench.keep(openSync(bench.sparse(16384), { mode: 'r+' }));
  const first = recordWrites(device);
  expect(() => device.mapSync(0, 512)).toThrow(expect.objectContaining({ code: 'ENOTSUP' }));
  first.stop();
  using second = recordWrites(device, { leases: 'diff' });
  expect(() => device.mapSync(0, 512)).toThrow(expect.objectContaining({ code: 'ENOTSUP' }));
  expect(second.requests).toBe(0);
});
