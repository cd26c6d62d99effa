// What each public function takes: by name, an arbitrary for every argument. A name that is missing here fails the tests.
// Over 300 lines: it is one list, of every public function.
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { type BlockDevice, BlockDriver, type DiskLabel, openSync } from 'rumpblk';
import { memory, nullMedium } from 'rumpblk/media';
import { listOf } from './hostile-arrays';
import { anything, FILL, mostly, options, recipe, type Recipes, Sabotage, signals, values, valuesOf, views } from './hostile';

/** Bytes of the image, and entries of the batch, that the calls are made on. */
export const SIZE = 65536 + 100;
export const DEPTH = 8;

const positions = mostly(valuesOf(fc.oneof(fc.integer({ min: 0, max: SIZE + 600 }), fc.constantFrom(0n, 512n, 65536n))));
const flags = mostly(values(true, false, undefined));
const part = { offset: mostly(values(0, 8, 512)), length: mostly(values(0, 8, 500)) };
const listing = {
  position: positions,
  length: positions,
  layer: mostly(values('all', 'top')),
  detectZeroes: mostly(values(undefined, 512, 4096, 3000)),
};
const minors = mostly(values(0, 0, 1, 15, 16));
const transfer = [views, positions, options({ ...part, fua: flags, signal: signals })];
const request = options({
  op: mostly(values('read', 'write'), 9),
  blkno: mostly(valuesOf(fc.integer({ min: -1, max: 130 })), 9),
  data: views,
  deferred: flags,
  signal: signals,
});
const range = {
  offset: positions,
  size: mostly(values(0, 512, SIZE)),
  sectorSize: mostly(values(undefined, 512, 4096)),
  format: mostly(values(undefined, 'raw', 'auto')),
};
const opening = {
  mode: mostly(values('r', 'r+')),
  raw: flags,
  access: mostly(values('auto', 'mmap', 'pio')),
  cache: mostly(values('writethrough', 'writeback', 'unsafe')),
  direct: flags,
  lock: mostly(values(false), 9),
  protect: fc.oneof(values(undefined), listOf(listOf(mostly(values(0, 512, 4096), 20)))),
  signal: signals,
};
const anyDriver = mostly(
  fc.constantFrom(
    recipe('a driver', () => new BlockDriver()),
    recipe('a closed driver', () => {
      const driver = new BlockDriver();
      driver.close();
      return driver;
    }),
  ),
);
/** Paths of what is not there, of what is no disk, and of `file`, which is one; and media, which stand in place of a path. */
function pathsTo(file: string): Recipes {
  const [pipe, loop, folder] = ['pipe', 'loop', 'folder'].map((name) => `${file}.${name}`) as [string, string, string];
  execFileSync('mkfifo', [pipe]);
  symlinkSync(loop, loop);
  mkdirSync(folder);
  const nodes = ['/dev/null', '/dev/ptmx', '/proc/self/mem'];
  return mostly(
    fc.oneof(
      values(file, file, Buffer.from(file), `${file}\0`, pipe, loop, folder, '', '.', ...nodes, 'x/'.repeat(3000)),
      fc.constantFrom(
        recipe('a URL', () => pathToFileURL(file)),
        recipe('a URL of http', () => new URL('http://localhost/')),
        recipe('a URL with a null byte', () => new URL('file:///a%00b')),
        recipe('what looks like a URL', () => ({ href: 'x', protocol: 'file:' })),
        recipe('what looks like a URL inside', () => ({ href: 'file:///x', protocol: 'file:', pathname: 5, hostname: '' })),
        recipe('a disk in memory', () => memory({ size: SIZE })),
        recipe('a null medium', () => nullMedium({ size: SIZE })),
        recipe('what looks like a medium', () => ({ kind: 'memory', name: 'x', size: SIZE })),
        recipe('a path that lies', () => Object.defineProperty(Buffer.from(file), 'length', { value: 2 ** 31 })),
      ),
    ),
  );
}
const tunable = mostly(values(1, 2, 16, 4096), 6);
const faults = options({ rate: mostly(values(0, 1, 9999), 6), seed: mostly(values(0, 1, 2 ** 32 - 1)) });
// Whose rules do nothing to a request: what others do is looked at by tests of their own.
const plans = options({
  seed: mostly(values(0, 1, 2 ** 32 - 1)),
  rules: mostly(values([], [{ action: { enter: 'late' } }], [{ match: { op: 'read', times: 0 }, action: { drop: true } }]), 6),
  allow: mostly(values([], [[0, 7]])),
});
const counts = mostly(values(0, 1, 4, DEPTH), 9);
const batching = options({
  depth: mostly(values(1, 2, 64)),
  arena: fc.oneof(mostly(values(0, 4096, 65537)), views),
});
const info = options({
  errno: mostly(values(-5, 5, 0, -99999)),
  syscall: mostly(values('read')),
  path: mostly(values('/x')),
  minor: anything,
  blkno: anything,
  bytesTransferred: anything,
  injected: anything,
});

const IOCTLS = 'GDINFO GDEFLABEL SDINFO WDINFO WLABEL KLABEL LWEDGES GWEDGEINFO GPART CACHESYNC GMEDIASIZE GSECTORSIZE'.split(' ').map((name) => `DIOC${name}`); // prettier-ignore

function defaultLabel(file: string): DiskLabel {
  const device = openSync(file);
  const label = device.ioctl('DIOCGDEFLABEL');
  device.closeSync();
  return label;
}

/** A label whose fields are mostly those of the default one. */
function labelsLike(good: DiskLabel): Recipes {
  const field = (value: unknown): Recipes => mostly(values(value), 60);
  const partition = options(Object.fromEntries(Object.entries(good.partitions[0]!).map(([key, value]) => [key, field(value)])), 60);
  const fields = Object.entries(good).map(([key, value]) => [key, key === 'partitions' ? listOf(partition) : field(value)] as const);
  return mostly(options(Object.fromEntries(fields), 60));
}

const start = mostly(values(512, 1024, 17408, 32768), 20);
const entries = listOf(
  options(
    {
      name: mostly(values('a', 'c', 's1', 's2', 's5', 'p1', 'p128'), 20),
      index: mostly(values(0, 1, 2, 5, 127), 20),
      start,
      size: start,
      type: mostly(values(7, 0x83, 0xa9, '516E7CB4-6ECF-11D6-8FF8-00022D09712B'), 20),
      typeName: values('x'),
      label: mostly(values('x', undefined), 20),
      uuid: mostly(values(undefined, '516E7CB4-6ECF-11D6-8FF8-00022D09712B'), 20),
      attributes: mostly(values(0n, 1n, undefined), 20),
      bootable: mostly(values(true, false, undefined), 20),
      table: mostly(values(undefined), 20),
    },
    20,
  ),
);
const adding = {
  type: mostly(values('linux', 'swap', 0x83, 7), 20),
  start: mostly(values(undefined, 1024, 17408), 20),
  size: mostly(values(undefined, 512, 1024, 'rest'), 20),
  label: mostly(values(undefined, 'x'), 20),
  inside: mostly(values(undefined, 's1'), 20),
};
const changing = options({ alignment: mostly(values(undefined, 512, 4096)), dryRun: flags });
const changes = listOf(
  fc.oneof(
    options({ add: options(adding, 20) }, 20),
    options({ resize: mostly(values('s1', 'p1', 'a'), 20), size: mostly(values(512, 'rest'), 20) }, 20),
    options({ remove: mostly(values('s1', 'p1', 'a'), 20) }, 20),
  ),
);
const tables = mostly(
  options(
    {
      scheme: mostly(values('bsd', 'mbr', 'ebr', 'gpt'), 20),
      position: mostly(values(0, 512, 1024), 20),
      usable: mostly(values(undefined, { start: 0, size: SIZE }), 20),
      id: mostly(values(undefined, '516E7CB4-6ECF-11D6-8FF8-00022D09712B', '12345678'), 20),
      problems: values([]),
      partitions: entries,
    },
    20,
  ),
);

/** What a view-based call of an adapter takes: a view, a part of it, a position. */
const part4 = [views, part.offset, part.length, positions];
const copying = {
  length: positions,
  // Not of a few bytes: that takes seconds.
  chunkSize: mostly(values(4096, 8192, 65536), 30),
  concurrency: mostly(values(1, 2, 64)),
  ...{
    verify: flags,
    sparse: mostly(values(true, false, 'extents', 'detect', 'off')),
    reflink: mostly(values('auto', 'never')),
    targetIsZero: flags,
    flush: flags,
    onProgress: mostly(values(() => undefined, undefined)),
  },
};
const streams = fc.constantFrom(
  recipe('a Readable', () => Readable.from([Buffer.alloc(1000, FILL), Buffer.alloc(5, FILL)], { objectMode: false })),
  recipe('a Web stream', () => new Blob([new Uint8Array(1000).fill(FILL)]).stream()),
  recipe('a stream of anything', () => Readable.from([1, 'x', {}])),
  recipe('an iterable that throws', () => ({
    [Symbol.asyncIterator]: () => {
      throw new Sabotage();
    },
  })),
);
/** Never a path: it would be made. */
const targets = (device: () => BlockDevice): Recipes =>
  fc.constantFrom(
    recipe('the device', device),
    recipe('a Writable', () => new Writable({ write: (_chunk, _encoding, done) => done() })),
    recipe('a Web stream', () => new WritableStream()),
    recipe('nothing', () => undefined),
    recipe('a stream of objects', () => new Writable({ objectMode: true })),
    recipe('half a stream', () => ({ write: () => true, end: () => undefined })),
    recipe('half a Web stream', () => ({ getWriter: 5 })),
  );

const creating = {
  size: positions,
  backing: mostly(values(undefined, 'base.img')),
  backingFormat: mostly(values(undefined, 'raw', 'qcow2')),
  clusterSize: mostly(values(undefined, 65536)),
  extendedL2: flags,
};

const crashSpec = options(
  {
    size: mostly(values(512, 4096)),
    devices: mostly(values(undefined, 2)),
    run: mostly(values(() => undefined)),
    check: mostly(values(() => undefined)),
  },
  20,
);
const checking = options({
  tear: mostly(values('none', 'atom', 'shorn', 'garbage')),
  crash: mostly(values('power', 'process')),
  discard: mostly(values('zero', 'any')),
  collateral: flags,
  run: mostly(values(0, 4096)),
  seed: mostly(values(0, 1)),
  samples: mostly(values(0, 16)),
  exhaustive: mostly(values(0, 16, true, false)),
  strength: mostly(values(1, 2, 3)),
  limit: mostly(values(0, 10)),
  workers: mostly(values(1)),
  memo: flags,
  again: mostly(values(0, 1)),
  failures: mostly(values(1, 2)),
  shrink: mostly(values(0, 5)),
});

/**
 * By name, the arguments of every public function, the last of which may be left out. Hostile paths name `file` among
 * others, and `device` gives the device that is called.
 */
export function signatures(file: string, device: () => BlockDevice): Record<string, readonly Recipes[]> {
  const paths = pathsTo(file);
  const devices = mostly(fc.constant(recipe('the device', device)), 9);
  const labels = labelsLike(defaultLabel(file));
  const names = mostly(values('a', 'c', 's1', 'p1', 's1a'));
  return {
    findDiskLabel: [devices],
    findDiskLabelSync: [devices],
    planFromLog: [mostly(values([], '', '{}'))],
    virtualClock: [mostly(values(undefined, 0n, 5n))],
    readPartitions: [devices, options({ probe: flags })],
    readPartitionsSync: [devices, options({ probe: flags })],
    writePartitions: [devices, tables],
    writePartitionsSync: [devices, tables],
    freeRanges: [tables, options({ alignment: mostly(values(512, 1024)) })],
    changePartitions: [devices, changes, changing],
    changePartitionsSync: [devices, changes, changing],
    addPartition: [devices, options(adding, 20), changing],
    addPartitionSync: [devices, options(adding, 20), changing],
    resizePartition: [devices, names, mostly(values(512, 'rest')), changing],
    resizePartitionSync: [devices, names, mostly(values(512, 'rest')), changing],
    removePartition: [devices, names, changing],
    removePartitionSync: [devices, names, changing],
    decodeDiskLabel: [views, options({ offset: mostly(values(0, 8, 512)) })],
    encodeDiskLabel: [labels, options({ byteOrder: mostly(values('little', 'big')) })],
    open: [paths, options({ ...opening, ...range, driver: anyDriver })],
    openSync: [paths, options({ ...opening, ...range, driver: anyDriver })],
    // There is such a file.
    createQcow2: [mostly(values(file)), options(creating)],
    createQcow2Sync: [mostly(values(file)), options(creating)],
    memory: [options({ size: positions, sectorSize: mostly(values(undefined, 512, 4096)), name: mostly(values(undefined, 'x')) })],
    nullMedium: [options({ size: positions })],
    // Nobody listens there.
    nbd: [
      mostly(values('nbd://127.0.0.1:1/disk', new URL('nbd+unix:///?socket=/nowhere'))),
      options({
        connections: mostly(values(undefined, 1, 16)),
        reconnect: mostly(values(undefined, 0)),
        requestTimeout: mostly(values(undefined, 0, 1000)),
        connectTimeout: mostly(values(undefined, 1000)),
        extentsCache: flags,
      }),
    ],
    openOverlay: [
      mostly(fc.oneof(devices, paths)),
      options({
        changes: mostly(values(undefined, 'memory', 'temporary')),
        blockSize: mostly(values(undefined, 512, 4096, 65536)),
        size: positions,
        driver: anyDriver,
      }),
    ],
    overlayInfo: [paths],
    // A view of the device is lent, so that nothing is recorded; and no recorder is given.
    recordWrites: [
      devices,
      options({
        atomicUnit: mostly(values(512, 4096)),
        leases: mostly(values('refuse')),
        stacks: flags,
        memory: positions,
        directory: anything,
      }),
    ],
    loadRecording: [mostly(values(file, 'no such file')), options({ base: devices, atomicUnit: mostly(values(512, 4096)) })],
    crashTest: [anything, mostly(values(() => undefined)), checking],
    crashCheck: [crashSpec, checking],
    flushMutations: [crashSpec, checking],
    crashStates: [anything, anything, checking],
    CrashError: [anything, anything],
    LatencyHistogram: [],
    'LatencyHistogram#record': [mostly(values(0, 1e9, 2 ** 60))],
    'LatencyHistogram#count': [],
    'LatencyHistogram#sum': [],
    'LatencyHistogram#min': [],
    'LatencyHistogram#max': [],
    'LatencyHistogram#mean': [],
    'LatencyHistogram#percentile': [mostly(values(0, 50, 99.9, 100))],
    'LatencyHistogram#countUpTo': [mostly(values(0, 1000, 2 ** 50))],
    metrics: [
      options({ drivers: mostly(values(undefined, [])), devices: mostly(values(undefined, [])), prefix: mostly(values(undefined, 'x')) }),
    ],
    readLog: [mostly(values([], [Buffer.from('fio version 3 iolog')]))],
    readLogFile: [mostly(values(file, 'no such file'))],
    replay: [mostly(values([])), devices, options({ timing: mostly(values(undefined, 'fast', 'original', 2)), signal: signals })],
    startTrace: [mostly(values([])), options({ limit: mostly(values(undefined, 16)), keep: flags })],
    // Into no file that there is.
    writeLogFile: [
      mostly(values('/no such folder/log')),
      mostly(values({ devices: [], sector: 512, atomic: 512, clock: 'real' })),
      mostly(values([])),
      options({
        format: mostly(values(undefined, 'jsonl', 'perfetto', 'fio-iolog-2')),
        device: mostly(values(undefined, 0)),
        files: mostly(values(undefined, ['x'])),
      }),
    ],
    // No descriptor: the server takes it over, whosever it is.
    serve: [
      options({
        exports: mostly(values(undefined, {})),
        socket: mostly(values(undefined, '')),
        host: mostly(values(undefined, '127.0.0.1')),
        port: mostly(values(undefined, 0)),
        allowRemote: flags,
        maxConnections: mostly(values(undefined, 1)),
        signal: signals,
      }),
    ],
    NbdServer: [anything, anything, anything, anything],
    'NbdServer#connections': [],
    'NbdServer#stats': [],
    'NbdServer#on': [mostly(values('connect', 'disconnect', 'error')), mostly(values(() => undefined))],
    'NbdServer#off': [mostly(values('connect', 'disconnect', 'error')), mostly(values(() => undefined))],
    'NbdServer#close': [options({ drain: mostly(values(undefined, 0, 1)) })],
    'NbdServer#[Symbol.asyncDispose]': [],
    OverlayDevice: [anything, anything, anything],
    'OverlayDevice#base': [],
    'OverlayDevice#reset': [],
    'OverlayDevice#snapshot': [mostly(values(undefined, 'before'))],
    'OverlayDevice#revert': [anything],
    'OverlayDevice#commit': [options({ signal: signals })],
    'OverlayDevice#diff': [options({ exact: flags })],
    // No base that a commit would then write to.
    'OverlayDevice#rebase': [
      mostly(values('', 'no such file')),
      mostly(values(undefined, 'safe', 'unsafe')),
      options({ format: mostly(values(undefined, 'raw', 'qcow2')) }),
    ],
    Snapshot: [anything, anything],
    BlockDriver: [
      options({
        minorCount: tunable,
        windowSize: tunable,
        windowCount: tunable,
        queueDepth: tunable,
        workers: tunable,
        engine: mostly(values('auto', 'threads', 'io_uring', 'libaio')),
        faults,
      }),
    ],
    'BlockDriver.fromEnv': [
      options(Object.fromEntries(['', '_SEED'].map((end) => [`RUMP_BLKFAIL${end}`, mostly(values('0', '1', '', '-1', '9'.repeat(400)))]))),
    ],
    'BlockDriver#register': [paths, options(range)],
    'BlockDriver#registerSync': [paths, options(range)],
    'BlockDriver#deregister': [minors],
    'BlockDriver#open': [minors, options(opening)],
    'BlockDriver#openSync': [minors, options(opening)],
    'BlockDriver#registerPartition': [minors, names],
    'BlockDriver#registerPartitionSync': [minors, names],
    'BlockDriver#registerPartitions': [minors],
    'BlockDriver#registerPartitionsSync': [minors],
    'BlockDriver#minors': [],
    'BlockDriver#counters': [],
    'BlockDriver#engine': [],
    'BlockDriver#resetCounters': [],
    'BlockDriver#close': [],
    'BlockDriver#[Symbol.dispose]': [],
    BlockDevice: [anything, anything, anything],
    'BlockDevice#closed': [],
    'BlockDevice#read': transfer,
    'BlockDevice#readSync': transfer,
    'BlockDevice#write': transfer,
    'BlockDevice#writeSync': transfer,
    'BlockDevice#discard': [positions, positions, options({ signal: signals })],
    'BlockDevice#discardSync': [positions, positions],
    'BlockDevice#writeZeroes': [positions, positions, options({ mayUnmap: flags, fast: flags, fua: flags, signal: signals })],
    'BlockDevice#writeZeroesSync': [positions, positions, options({ mayUnmap: flags, fast: flags, fua: flags })],
    'BlockDevice#prefetch': [positions, positions],
    'BlockDevice#extents': [options({ ...listing, signal: signals })],
    'BlockDevice#extentsSync': [options(listing)],
    'BlockDevice#strategy': [request],
    'BlockDevice#strategySync': [request],
    'BlockDevice#createBatch': [batching],
    'BlockDevice#track': [
      options({
        granularity: mostly(values(512, 4096, 65536, 1000, 2 ** 30)),
        name: mostly(values(undefined, undefined, 'backup', '', '\ud800')),
      }),
    ],
    'BlockDevice#bitmaps': [],
    'BlockDevice#trace': [options({ limit: mostly(values(undefined, 1, 1000)), keep: flags })],
    'BlockDevice#stats': [options({ reset: flags })],
    'BlockDevice#removeBitmap': [mostly(values('backup', '', 'x'.repeat(1024)))],
    'BlockDevice#mapSync': [positions, mostly(values(1, 512, 16384, 16385))],
    'BlockDevice#windows': [],
    'BlockDevice#flush': [options({ signal: signals })],
    'BlockDevice#flushSync': [],
    'BlockDevice#ioctl': [mostly(values(...IOCTLS, 'TIOCSTI'), 9), fc.oneof(mostly(values(0, 1, 99, true, false)), labels)],
    'BlockDevice#close': [],
    'BlockDevice#closeSync': [],
    'BlockDevice#[Symbol.asyncDispose]': [],
    'BlockDevice#[Symbol.dispose]': [],
    Batch: [anything, anything, anything],
    'Batch#runSync': [counts],
    'Batch#run': [counts, options({ signal: signals })],
    'Batch#[Symbol.dispose]': [],
    BlockDeviceError: [info, options({ cause: anything })],
    'BlockDeviceError.[Symbol.hasInstance]': [anything],
    copy: [
      // No disks of zeros: copied onto the device they are right to change it.
      mostly(fc.oneof(devices, paths, streams).filter((source) => !['a disk in memory', 'a null medium'].includes(String(source)))),
      targets(device),
      options({ ...copying, sourcePosition: positions, targetPosition: positions, signal: signals }),
    ],
    fatfsDriver: [devices, options({ sectorSize: mostly(values(512, 1024, 4096)) })],
    openFileHandle: [devices, options({ closeDevice: flags })],
    createReadStream: [devices, options({ start: positions, end: positions })],
    createWriteStream: [devices, options({ start: positions })],
    RandomAccessDevice: [devices, options({ closeDevice: flags })],
    DeviceDisk: [devices, options({ readOnly: flags, recordWrites: flags, recordReads: flags, discardIsZero: flags })],
    'DeviceDisk#read': part4,
    'DeviceDisk#write': part4,
    'DeviceDisk#discard': [positions, positions],
    'FaultInjector#rate': [],
    'FaultInjector#seed': [],
    'FaultInjector#injected': [],
    'FaultInjector#set': [faults],
    'FaultInjector#clear': [],
    'FaultInjector#plan': [plans],
    'FaultInjector#log': [mostly(values(undefined, 'jsonl'))],
    'FaultInjector#release': [mostly(values('lost', 'x'))],
    'FaultInjector#on': [mostly(values('fault')), mostly(values(() => undefined))],
    'FaultInjector#off': [mostly(values('fault')), mostly(values(() => undefined))],
    'WindowView#release': [],
    'WindowView#[Symbol.dispose]': [],
  };
}
