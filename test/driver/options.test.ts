// Options that nobody knows: refused by every call that takes options, with what was probably meant, before anything is done.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import {
  addPartition,
  type BlockDevice,
  BlockDeviceError,
  BlockDriver,
  changePartitions,
  createQcow2,
  decodeDiskLabel,
  encodeDiskLabel,
  open,
  openSync,
  readPartitions,
  removePartition,
  resizePartition,
  writePartitions,
} from 'rumpblk';
import { copy } from 'rumpblk/copy';
import { fatfsDriver } from 'rumpblk/fatfs';
import { DeviceDisk } from 'rumpblk/file-disk';
import { createReadStream, createWriteStream, openFileHandle } from 'rumpblk/fs';
import { crashCheck, loadRecording, recordWrites } from 'rumpblk/lab';
import { memory, nullMedium } from 'rumpblk/media';
import { nbd, serve } from 'rumpblk/nbd';
import { openOverlay } from 'rumpblk/overlay';
import { RandomAccessDevice } from 'rumpblk/random-access-storage';
import { metrics, replay, startTrace } from 'rumpblk/trace';
import { thrownBy } from '../support/failure';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();

interface Subject {
  readonly device: BlockDevice;
  readonly driver: BlockDriver;
  readonly file: string;
}

const data = Buffer.alloc(512);
const BUF = { op: 'read', blkno: 0, data };

/** Every call of the package that takes options, with those that it needs; what it is given goes on top of them. */
const CALLS: Readonly<Record<string, (on: Subject, extra: any) => unknown>> = {
  open: ({ file }, extra) => open(file, extra),
  openSync: ({ file }, extra) => openSync(file, extra),
  'new BlockDriver': (_, extra) => new BlockDriver(extra),
  'new BlockDriver, faults': (_, extra) => new BlockDriver({ faults: { rate: 1, ...extra } }),
  'faults.set': ({ driver }, extra) => driver.faults.set({ rate: 0, ...extra }),
  register: ({ driver, file }, extra) => driver.register(file, extra),
  registerSync: ({ driver, file }, extra) => driver.registerSync(file, extra),
  'driver.open': ({ driver }, extra) => driver.open(0, extra),
  'driver.openSync': ({ driver }, extra) => driver.openSync(0, extra),
  read: ({ device }, extra) => device.read(data, 0, extra),
  readSync: ({ device }, extra) => device.readSync(data, 0, extra),
  write: ({ device }, extra) => device.write(data, 0, extra),
  writeSync: ({ device }, extra) => device.writeSync(data, 0, extra),
  strategy: ({ device }, extra) => device.strategy({ ...BUF, ...extra }),
  strategySync: ({ device }, extra) => device.strategySync({ ...BUF, ...extra }),
  flush: ({ device }, extra) => device.flush(extra),
  createBatch: ({ device }, extra) => device.createBatch(extra),
  'batch.run': ({ device }, extra) => device.createBatch({ depth: 1 }).run(0, extra),
  decodeDiskLabel: (_, extra) => decodeDiskLabel(data, extra),
  encodeDiskLabel: ({ device }, extra) => encodeDiskLabel(device.ioctl('DIOCGDINFO'), extra),
  writePartitions: ({ device }, extra) => writePartitions(device, { scheme: 'mbr', partitions: [], ...extra }),
  'writePartitions, an entry': ({ device }, extra) =>
    writePartitions(device, { scheme: 'mbr', partitions: [{ start: MiB, size: MiB, type: 0x83, ...extra }] }),
  'new BlockDeviceError': (_, extra) => {
    throw new BlockDeviceError({ errno: -5, syscall: 'read', ...extra });
  },
  copy: ({ device }, extra) => copy(device, bench.path('copied'), extra),
  'new DeviceDisk': ({ device }, extra) => new DeviceDisk(device, extra),
  fatfsDriver: ({ device }, extra) => fatfsDriver(device, extra),
  'new RandomAccessDevice': ({ device }, extra) => new RandomAccessDevice(device, extra),
  openFileHandle: ({ device }, extra) => openFileHandle(device, extra),
  'handle.read, options': ({ device }, extra) => openFileHandle(device).read(extra),
  'handle.read, buffer and options': ({ device }, extra) => openFileHandle(device).read(data, extra),
  'handle.write': ({ device }, extra) => openFileHandle(device).write(data, extra),
  'handle.stat': ({ device }, extra) => openFileHandle(device).stat(extra),
  createReadStream: ({ device }, extra) => openFileHandle(device).createReadStream(extra),
  createWriteStream: ({ device }, extra) => openFileHandle(device).createWriteStream(extra),
  readableWebStream: ({ device }, extra) => openFileHandle(device).readableWebStream(extra),
  writableWebStream: ({ device }, extra) => openFileHandle(device).writableWebStream(extra),
  'createReadStream of rumpblk/fs': ({ device }, extra) => createReadStream(device, extra),
  'createWriteStream of rumpblk/fs': ({ device }, extra) => createWriteStream(device, extra),
  discard: ({ device }, extra) => device.discard(0, 512, extra),
  writeZeroes: ({ device }, extra) => device.writeZeroes(0, 512, extra),
  writeZeroesSync: ({ device }, extra) => device.writeZeroesSync(0, 512, extra),
  extents: ({ device }, extra) => device.extents(extra).next(),
  extentsSync: ({ device }, extra) => device.extentsSync(extra).next(),
  track: ({ device }, extra) => device.track(extra),
  'device.trace': ({ device }, extra) => device.trace(extra),
  'device.stats': ({ device }, extra) => device.stats(extra),
  'new BlockDriver, a plan': (_, extra) => new BlockDriver({ faults: { rules: [], ...extra } }),
  'faults.plan': ({ driver }, extra) => driver.faults.plan({ rules: [], ...extra }),
  'faults.plan, a rule': ({ driver }, extra) => driver.faults.plan({ rules: [{ action: { errno: 'EIO' }, ...extra }] }),
  'faults.plan, a match': ({ driver }, extra) => driver.faults.plan({ rules: [{ match: extra, action: { errno: 'EIO' } }] }),
  'faults.plan, an action': ({ driver }, extra) => driver.faults.plan({ rules: [{ action: { errno: 'EIO', ...extra } }] }),
  readPartitions: ({ device }, extra) => readPartitions(device, extra),
  'writePartitions, options': ({ device }, extra) => writePartitions(device, { scheme: 'mbr', partitions: [] }, extra),
  changePartitions: ({ device }, extra) => changePartitions(device, [], extra),
  'changePartitions, a change': ({ device }, extra) => changePartitions(device, [{ remove: 's1', ...extra }]),
  addPartition: ({ device }, extra) => addPartition(device, { size: MiB, type: 0x83 }, extra),
  'addPartition, the partition': ({ device }, extra) => addPartition(device, { size: MiB, type: 0x83, ...extra }),
  resizePartition: ({ device }, extra) => resizePartition(device, 's1', 'rest', extra),
  removePartition: ({ device }, extra) => removePartition(device, 's1', extra),
  createQcow2: (_, extra) => createQcow2(bench.path('made'), { size: MiB, ...extra }),
  memory: (_, extra) => memory({ size: MiB, ...extra }),
  nullMedium: (_, extra) => nullMedium({ size: MiB, ...extra }),
  nbd: (_, extra) => nbd('nbd://127.0.0.1:1/', extra),
  serve: ({ device }, extra) => serve({ exports: { disk: device }, socket: bench.path('socket'), ...extra }),
  'serve, an export': ({ device }, extra) => serve({ exports: { disk: { device, ...extra } }, socket: bench.path('socket') }),
  openOverlay: ({ device }, extra) => openOverlay(device, extra),
  startTrace: ({ device }, extra) => startTrace([device], extra),
  replay: ({ device }, extra) => replay([], device, extra),
  metrics: (_, extra) => metrics({ devices: [], ...extra }),
  recordWrites: ({ device }, extra) => recordWrites(device, extra),
  loadRecording: ({ file }, extra) => loadRecording(file, extra),
  crashCheck: (_, extra) => crashCheck({ size: MiB, run: () => undefined, check: () => undefined }, extra),
  'crashCheck, the spec': (_, extra) => crashCheck({ size: MiB, run: () => undefined, check: () => undefined, ...extra }),
};

function subject(): Subject {
  const file = bench.image(pattern(4 * MiB));
  const device = bench.device(file, { mode: 'r+' });
  return { device, driver: device.driver, file };
}

async function refusalOf(action: () => unknown): Promise<string> {
  const error = (await thrownBy(action)) as NodeJS.ErrnoException;
  expect(error).toBeInstanceOf(TypeError);
  expect(error.code).toBe('ERR_INVALID_ARG_VALUE');
  return error.message;
}

describe.each(Object.entries(CALLS))('%s', (_, call) => {
  test('refuses a key that it does not know, whatever its value, and does nothing', async () => {
    const on = subject();
    const before = readFileSync(on.file);
    for (const value of ['x', 0, undefined]) {
      expect(await refusalOf(() => call(on, { zebra: value }))).toMatch(/^unknown (option|property) '([\w[\]."]+\.)?zebra': known are '/);
    }
    expect(readFileSync(on.file).equals(before)).toBe(true);
  });
});

const MEANT: [call: string, key: string, advice: string][] = [
  ['new BlockDriver', 'fault', "unknown option 'fault': did you mean 'faults'?"],
  ['new BlockDriver', 'windowsize', "unknown option 'windowsize': did you mean 'windowSize'?"],
  ['new BlockDriver, faults', 'rates', "unknown option 'faults.rates': did you mean 'rate'?"],
  ['faults.set', 'ops', "unknown option 'ops': known are 'rate', 'seed'"],
  ['open', 'readOnly', "unknown option 'readOnly': did you mean mode: 'r', which is the default?"],
  ['open', 'length', "unknown option 'length': did you mean 'size'?"],
  ['open', 'moed', "unknown option 'moed': did you mean 'mode'?"],
  ['openSync', 'signal', "unknown option 'signal': did you mean the promise form, which a signal can end?"],
  ['readSync', 'signal', "unknown option 'signal': did you mean the promise form, which a signal can end?"],
  ['read', 'fua', "unknown option 'fua': known are 'offset', 'length', 'signal'"],
  ['write', 'sync', "unknown option 'sync': did you mean 'fua'?"],
  ['strategy', 'blokno', "unknown property 'request.blokno': did you mean 'blkno'?"],
  ['writePartitions', 'partition', "unknown property 'table.partition': did you mean 'partitions'?"],
  ['writePartitions, an entry', 'boot', "unknown property 'table.partitions[0].boot': did you mean 'bootable'?"],
  ['copy', 'partition', "unknown option 'partition': did you mean 'sourcePartition' or 'targetPartition'?"],
  ['copy', 'chunksize', "unknown option 'chunksize': did you mean 'chunkSize'?"],
  ...['new DeviceDisk', 'fatfsDriver', 'new RandomAccessDevice', 'openFileHandle'].map((name): [string, string, string] => [
    name,
    'partition',
    "unknown option 'partition': did you mean the device of open(path, { partition })?",
  ]),
  ['openFileHandle', 'autoClose', "unknown option 'autoClose': did you mean 'closeDevice'?"],
];
test.each(MEANT)('%s: %s is answered with what was meant', async (name, key, advice) => {
  const on = subject();
  expect(await refusalOf(() => CALLS[name]?.(on, { [key]: 1 }))).toBe(advice);
});

test('issue 13: a partition as the options of an open erases no table', async () => {
  const file = bench.sparse(4 * MiB);
  await using disk = await open(file, { mode: 'r+' });
  await writePartitions(disk, { scheme: 'mbr', partitions: [{ start: MiB, size: MiB, type: 0x83 }] });
  const entry = (await readPartitions(disk))?.partitions[0];
  const { driver } = disk;
  for (const call of [() => open(file, entry as object), () => openSync(file, { ...entry, mode: 'r+' } as object)]) {
    expect(await refusalOf(call)).toBe("unknown option 'name': this is a PartitionEntry, and no options: give it as { partition: entry }");
  }
  for (const call of [() => driver.register(file, entry as object), () => copy(file, bench.path('out'), entry as object)]) {
    expect(await refusalOf(call)).toMatch(/^unknown option 'name': this is a PartitionEntry, and no options/);
  }
});

test("what is in every object is nobody's option", () => {
  Object.defineProperty(Object.prototype, 'everywhere', { value: 1, enumerable: true, configurable: true });
  try {
    subject().device.readSync(data, 0, { offset: 0 });
    expect(() => subject().device.readSync(data, 0, { ofset: 0 } as object)).toThrow("unknown option 'ofset': did you mean 'offset'?");
  } finally {
    Reflect.deleteProperty(Object.prototype, 'everywhere');
  }
});

test('a key that is inherited counts as given: defaults are often laid under options so', async () => {
  const { file } = subject();
  expect(await refusalOf(() => openSync(file, Object.create({ readOnly: true }) as object))).toContain("unknown option 'readOnly'");
});

test('a getter of a class counts as given, misspelt or not', async () => {
  const { file, device } = subject();
  class Defaults {
    get moed(): string {
      return 'r+';
    }
    hidden(): void {}
  }
  class Mine extends Defaults {}
  expect(await refusalOf(() => openSync(file, new Mine() as object))).toBe("unknown option 'moed': did you mean 'mode'?");
  class Part {
    get length(): number {
      return 512;
    }
  }
  expect(device.readSync(Buffer.alloc(1024), 0, new Part())).toBe(512);
});

test('what holds its content otherwise than in keys is no options: a promise that nobody awaited, a map', async () => {
  const { file, driver } = subject();
  const others = [
    Promise.resolve({ mode: 'r+' }),
    new Map([['mode', 'r+']]),
    new Set(['r+']),
    Buffer.alloc(0),
    new ArrayBuffer(1),
    new Date(),
  ];
  for (const other of others) {
    for (const call of [() => openSync(file, other as object), () => driver.register(file, other as object)]) {
      expect(await thrownBy(call)).toMatchObject({
        code: 'ERR_INVALID_ARG_TYPE',
        message: expect.stringContaining('"options" argument must be of type object'),
      });
    }
  }
});

test('a key that every object inherits is one like others where it is given itself', async () => {
  const { file } = subject();
  expect(await refusalOf(() => openSync(file, { constructor: 1 } as object))).toContain("unknown option 'constructor'");
  expect(await refusalOf(() => openSync(file, JSON.parse('{"__proto__":{"mode":"r+"}}') as object))).toContain(
    "unknown option '__proto__'",
  );
});

test('symbols and objects without a prototype are fine', () => {
  const { device } = subject();
  const bare = Object.assign(Object.create(null) as object, { length: 512, [Symbol('mine')]: 1 });
  expect(device.readSync(data, 0, bare)).toBe(512);
});

test('a stream that emits no close, as those of node:fs', async () => {
  const { device } = subject();
  const seen: string[] = [];
  const stream = openFileHandle(device).createReadStream({ emitClose: false, end: 511 });
  stream.on('close', () => seen.push('close'));
  for await (const chunk of stream) expect(chunk).toHaveLength(512);
  await new Promise(setImmediate);
  expect(seen).toEqual([]);
});

test('a stat in bigints is refused, not answered in numbers', async () => {
  const handle = openFileHandle(subject().device);
  expect(await refusalOf(() => handle.stat({ bigint: true as false }))).toContain("'options.bigint' must be false");
  expect((await handle.stat({ bigint: false })).size).toBe(4 * MiB);
});
