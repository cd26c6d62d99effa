// What the laboratory does where it is asked to: discards that leave anything, neighbours that are destroyed, runs.
import { expect, test } from '@jest/globals';
import { openSync, type BlockDevice } from 'rumpblk';
import { CrashError, crashTest, recordWrites, type Recorder, type StateOptions } from 'rumpblk/lab';
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
