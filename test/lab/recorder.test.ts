// Recorders and crash states: what is recorded, which states there are, tokens, files.
// Over 300 lines: one list of what recorders, states and their files promise.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { BATCH_FLUSH, BATCH_WRITE, openSync, type BlockDevice } from 'rumpblk';
import { loadRecording, recordWrites, type CrashState, type LogFormat, type Recorder, type StateOptions } from 'rumpblk/lab';
import { memory } from 'rumpblk/media';
import { rig } from '../support/rig';

const bench = rig();
const SECTORS = 4;

function disk(sectors = SECTORS): BlockDevice {
  return bench.keep(openSync(memory({ size: sectors * 512 }), { mode: 'r+' }));
}

/** The first byte of each sector. */
function digits(device: BlockDevice): string {
  const bytes = Buffer.alloc(device.size);
  device.readSync(bytes, 0);
  return Array.from({ length: device.size / 512 }, (_, sector) => String(bytes[sector * 512])).join('');
}

const put = (device: BlockDevice, sector: number, value: number, fua?: boolean): unknown =>
  device.writeSync(Buffer.alloc(512, value), sector * 512, ...(fua === undefined ? [] : [{ fua }]));

/** What every state of the walk holds, sorted. */
function contents(recorder: Recorder, options: StateOptions = { exhaustive: true }): string[] {
  const found: string[] = [];
  for (const state of recorder.crashStates(options)) {
    using own = state;
    found.push(own.devices.map(digits).join('|'));
  }
  return found.sort();
}

describe('the model', () => {
  test('older versions may surface, nothing behind a flush', () => {
    const device = disk();
    using recorder = recordWrites(device);
    put(device, 0, 1);
    put(device, 0, 2);
    expect(contents(recorder)).toEqual(['0000', '1000', '2000']);
    device.flushSync();
    put(device, 0, 3);
    recorder.stop();
    expect(contents(recorder, { exhaustive: true, at: recorder.end })).toEqual(['2000', '3000']);
  });

  test('FUA covers its own bytes alone', () => {
    const device = disk();
    using recorder = recordWrites(device);
    put(device, 0, 1);
    put(device, 1, 2, true);
    expect(contents(recorder, { exhaustive: true, at: recorder.end })).toEqual(['0200', '1200']);
  });

  test('units of one write stand alone, and whole with tear: none', () => {
    const device = disk();
    using recorder = recordWrites(device);
    device.writeSync(Buffer.alloc(1024, 7), 0);
    expect(contents(recorder)).toEqual(['0000', '0700', '7000', '7700']);
    expect(contents(recorder, { exhaustive: true, tear: 'none' })).toEqual(['0000', '7700']);
  });

  test('an atomic unit is there or not', () => {
    const device = disk(16);
    using recorder = recordWrites(device, { atomicUnit: 4096 });
    put(device, 0, 1);
    put(device, 1, 1);
    expect(contents(recorder).map((text) => text.slice(0, 3))).toEqual(['000', '100', '110']);
  });

  test('a failed flush is no flush; a process that ends loses what was on its way alone', () => {
    const device = disk();
    using recorder = recordWrites(device);
    put(device, 0, 1);
    expect(contents(recorder, { exhaustive: true, crash: 'process', at: recorder.end })).toEqual(['1000']);
  });

  test('several devices share cuts', () => {
    const [one, other] = [disk(), disk()];
    using recorder = recordWrites([one, other]);
    put(one, 0, 1);
    one.flushSync();
    put(other, 0, 2);
    expect(contents(recorder)).toEqual(['0000|0000', '1000|0000', '1000|2000']);
  });

  test('count and isLegal agree with the walk', () => {
    const device = disk();
    using recorder = recordWrites(device);
    put(device, 0, 1);
    put(device, 0, 2);
    device.writeSync(Buffer.alloc(1024, 3), 1024);
    const [last] = recorder.count({ at: recorder.end });
    expect(last).toMatchObject({ states: 12n });
    const legal = contents(recorder, { exhaustive: true, at: recorder.end });
    expect(legal).toHaveLength(12);
    const image = (text: string): Buffer => Buffer.concat([...text].map((digit) => Buffer.alloc(512, Number(digit))));
    for (const text of legal) expect([text, recorder.isLegal(image(text))]).toEqual([text, true]);
    for (const text of ['3000', '0100', '0003'.replace('3', '1')]) expect(recorder.isLegal(image(text))).toBe(false);
  });
});

describe('what is recorded', () => {
  test('promises, strategy, batches, zeroes and other opens of the minor', async () => {
    const driver = bench.driver();
    const minor = driver.registerSync(memory({ size: 8 * 512 }));
    const [device, second] = [0, 1].map(() => bench.keep(driver.openSync(minor, { mode: 'r+' }))) as [BlockDevice, BlockDevice];
    device.writeSync(Buffer.alloc(8 * 512, 9), 0);
    using recorder = recordWrites(device);
    await device.write(Buffer.alloc(512, 1), 0);
    await device.strategy({ op: 'write', blkno: 1, data: Buffer.alloc(512, 2) });
    await second.write(Buffer.alloc(512, 3), 1024);
    const batch = device.createBatch({ depth: 2 });
    batch.arena.fill(4);
    [batch.op[0], batch.blkno[0], batch.bcount[0], batch.op[1]] = [BATCH_WRITE, 3, 512, BATCH_FLUSH];
    expect(await batch.run(2)).toBe(2);
    await device.writeZeroes(4 * 512, 512);
    recorder.stop();
    put(device, 7, 5);
    expect(recorder.requests).toBe(6);
    expect(contents(recorder, { exhaustive: true, at: recorder.end })).toEqual(['12340999', '12349999']);
    await device.flush();
  });

  test('call sites, when they are asked for', () => {
    const device = disk();
    const { write } = Object.getPrototypeOf(device) as BlockDevice;
    using recorder = recordWrites(device, { stacks: true });
    put(device, 0, 1);
    recorder.stop();
    const [state] = [...recorder.crashStates({ at: recorder.end })].filter(({ lost }) => lost.length > 0);
    expect(state?.lost).toMatchObject([
      { request: 0, sector: 0, sectors: 1, how: 'lost', stack: expect.stringContaining('recorder.test') },
    ]);
    // Nobody pays for it afterwards.
    expect((Object.getPrototypeOf(device) as BlockDevice).write).toBe(write);
  });

  test('what cannot be recorded is refused', () => {
    const device = disk();
    expect(() => recordWrites([])).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    expect(() => recordWrites({} as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    expect(() => recordWrites(device, { atomicUnit: 1000 })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
    expect(() => recordWrites(device, { sectorSize: 512 } as object)).toThrow("unknown option 'sectorSize': did you mean 'atomicUnit'?");
    const reader = bench.keep(openSync(memory({ size: 512 })));
    expect(() => recordWrites(reader)).toThrow(expect.objectContaining({ code: 'EACCES' }));
    using recorder = recordWrites(device);
    expect(() => recordWrites(device)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    const never = recorder.crashStates({ at: { after: 'never' } });
    expect(() => [...never]).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
    device.closeSync();
    expect(() => recordWrites(device)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });
});

describe('states', () => {
  function recorded(values = [1, 2, 3]): Recorder {
    const device = disk();
    const recorder = recordWrites(device);
    put(device, 0, values[0] ?? 0);
    device.flushSync();
    recorder.mark('first', { n: 1 });
    put(device, 1, values[1] ?? 0);
    put(device, 2, values[2] ?? 0);
    recorder.mark('second');
    recorder.stop();
    return recorder;
  }

  test('have the marks before their cut, and are found between marks', () => {
    using recorder = recorded();
    const marks = (options: StateOptions): Set<number> => new Set([...recorder.crashStates(options)].map((state) => state.marks.length));
    expect(marks({ exhaustive: true })).toEqual(new Set([0, 1, 2]));
    expect(marks({ at: { before: 'first' } })).toEqual(new Set([0]));
    expect(marks({ at: { after: 'first', before: 'second' } })).toEqual(new Set([1]));
    const last = [...recorder.crashStates({ at: { after: 'second' } })].at(-1);
    expect(last?.marks).toEqual([
      { name: 'first', data: { n: 1 } },
      { name: 'second', data: undefined },
    ]);
  });

  test('are the same again by their tokens, over other contents too', () => {
    using recorder = recorded();
    using other = recorded([4, 5, 6]);
    for (const state of recorder.crashStates({ exhaustive: true })) {
      using own = state;
      using again = recorder.fromToken(own.token);
      expect([again.token, again.cut, digits(again.device)]).toEqual([own.token, own.cut, digits(own.device)]);
      using elsewhere = other.fromToken(own.token);
      expect(elsewhere.lost).toEqual(own.lost);
      expect(own.token).toMatch(/^rbl1\.[0-9a-f]{8}\.\d+\.[\w-]*$/);
    }
  });

  test('have tokens that other recordings and other texts are not', async () => {
    const directory = bench.path('.');
    using recorder = recorded();
    const { token } = [...recorder.crashStates()].at(-1) as CrashState;
    expect(() => recorder.fromToken('rbl9.00000000.1.')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => recorder.fromToken('nonsense')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    const device = disk();
    using other = recordWrites(device, { directory });
    put(device, 0, 1);
    device.flushSync();
    other.mark('first');
    put(device, 3, 2);
    put(device, 2, 2);
    other.mark('second');
    other.stop();
    expect(() => other.fromToken(token)).toThrow(expect.objectContaining({ code: 'ESTALE' }));
    // With the recording of the token in the folder it says where they part.
    await recorder.save(`${directory}/rumpblk-lab-${token.split('.')[1]}.jsonl`);
    expect(() => other.fromToken(token)).toThrow(expect.objectContaining({ code: 'ESTALE', at: 3 }));
  });

  test('are files for other programs, which go with them', async () => {
    using recorder = recorded();
    const state = recorder.fromToken(([...recorder.crashStates()].at(-1) as CrashState).token);
    const file = await state.toFile();
    const bytes = Buffer.alloc(SECTORS * 512);
    state.device.readSync(bytes, 0);
    expect(readFileSync(file)).toEqual(bytes);
    await state[Symbol.asyncDispose]();
    expect(() => statSync(file)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => state.devices).not.toThrow();
    expect(() => state.device.readSync(bytes, 0)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });

  test('keep what is written to them to themselves', () => {
    using recorder = recorded();
    const { token } = [...recorder.crashStates()].at(-1) as CrashState;
    using one = recorder.fromToken(token);
    const before = digits(one.device);
    put(one.device, 3, 9);
    using other = recorder.fromToken(token);
    expect(digits(other.device)).toBe(before);
    expect(digits(one.device)).toBe(`${before.slice(0, 3)}9`);
  });

  test('can be recorded, so that the power is cut in a recovery', () => {
    using recorder = recorded();
    const { token } = [...recorder.crashStates()].at(-1) as CrashState;
    using state = recorder.fromToken(token);
    const before = digits(state.device);
    using recovery = state.record();
    put(state.device, 3, 9);
    recovery.stop();
    expect(contents(recovery).map((text) => text.at(-1))).toEqual(['0', '9']);
    for (const inner of recovery.crashStates()) {
      using own = inner;
      expect(own.marks).toEqual(state.marks);
      expect(digits(own.device).slice(0, 3)).toBe(before.slice(0, 3));
    }
  });

  test('come by for await, too, and end at a limit or a budget', async () => {
    using recorder = recorded();
    const tokens: string[] = [];
    for await (const state of recorder.crashStates({ seed: 1 })) tokens.push(state.token);
    expect(tokens).toEqual([...recorder.crashStates({ seed: 1 })].map(({ token }) => token));
    expect([...recorder.crashStates({ limit: 2 })]).toHaveLength(2);
    expect([...recorder.crashStates({ budget: 0 })]).toHaveLength(0);
  });
});

test('a recording in a file gives the same states by the same tokens', async () => {
  const device = disk();
  put(device, 3, 8);
  using recorder = recordWrites(device);
  put(device, 0, 1);
  device.flushSync();
  recorder.mark('done', [1, 'x']);
  device.writeSync(Buffer.alloc(100, 2), 512);
  recorder.stop();
  const file = bench.path('recording.jsonl');
  await recorder.save(file);
  using loaded = await loadRecording(file);
  expect(loaded.requests).toBe(recorder.requests);
  expect(contents(loaded)).toEqual(contents(recorder));
  for (const state of recorder.crashStates()) {
    using own = state;
    using again = loaded.fromToken(own.token);
    expect([digits(again.device), again.marks]).toEqual([digits(own.device), own.marks]);
  }
});

test('a recording is saved in the formats of others', async () => {
  const device = disk();
  using recorder = recordWrites(device);
  put(device, 0, 1);
  device.flushSync();
  recorder.mark('done', { n: 1 });
  put(device, 1, 2, true);
  recorder.stop();
  const saved = async (format: LogFormat): Promise<Buffer> => {
    await recorder.save(bench.path(format), { format });
    return readFileSync(bench.path(format));
  };
  expect((await saved('fio-iolog-3')).toString()).toMatch(/^fio version 3 iolog\n[^]* write 0 512\n[^]* write 512 512\n/);
  expect((await saved('fio-iolog-2')).toString()).toMatch(/^fio version 2 iolog\n/);
  expect((await saved('jsonl')).toString()).toContain('"mark":"done"');
  const log = await saved('dm-log-writes');
  expect(log.readBigUInt64LE(0)).toBe(0x6a736677736872n);
  using loaded = await loadRecording(bench.path('dm-log-writes'));
  // Without its size: the log does not say it.
  expect(loaded.count().map(({ states }) => states)).toEqual(recorder.count().map(({ states }) => states));
  await expect(loadRecording(bench.path('fio-iolog-3'))).rejects.toMatchObject({ code: 'EINVAL' });
  await expect(recorder.save(bench.path('x'), { format: 'tar' as never })).rejects.toHaveProperty('code', 'ERR_INVALID_ARG_VALUE');
  await expect(recorder.save(bench.path('no/such/folder'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('of a recording that ends too early there is what was before', async () => {
  const device = disk();
  using recorder = recordWrites(device);
  put(device, 0, 1);
  device.flushSync();
  put(device, 1, 2);
  recorder.stop();
  const file = bench.path('whole.jsonl');
  await recorder.save(file);
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.subarray(0, bytes.length - 100));
  const error = (await loadRecording(file).catch((reason: unknown) => reason)) as Error & { code: string; partial: Recorder };
  expect([error.code, error.partial.requests]).toEqual(['EIO', 2]);
  expect(contents(error.partial)).toEqual(['0000', '1000']);
});
