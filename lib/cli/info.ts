// rumpblk info: what a device is and what lies on it, without changing it.
import type { Command } from './bundled/commander.js';
import {
  readPartitions,
  type BlockDevice,
  type BlockDriver,
  type Counters,
  type DiskLabel,
  type MinorInfo,
  type PartitionContent,
  type PartitionEntry,
  type PartitionTable,
  type WindowInfo,
} from '../index.js';
import { contentOfDevice } from '../device-content.js';
import { tablesOf } from './partitions.js';
import { addFileCommand, addSharedOptions, type Done } from './support/file-command.js';
import { explain } from './support/help.js';
import { printable } from '../arguments/printable.js';
import { withImage, type ImageOptions } from './support/image.js';
import { EXIT } from './support/failure.js';
import { describeNature, imageAdvice, isBlank } from './support/nature.js';
import { emit, emitJson, section, table } from './support/report.js';
import { SCHEME_NAMES } from './support/schemes.js';
import { formatBytes, formatCount, formatExact, formatNumber } from './support/units.js';

interface InfoOptions extends ImageOptions {
  verbose?: boolean;
  json?: boolean;
}

/** The JSON document of `rumpblk info`. */
interface Description {
  file: string;
  source: MinorInfo['source'];
  type: MinorInfo['type'];
  offset: number;
  size: number;
  sectorSize: number;
  sectors: number;
  access: BlockDevice['access'];
  engine: BlockDriver['engine'];
  /** How it is divided; null where it is not. */
  table: PartitionTable | null;
  /** What lies on it as a whole; null where that is nothing known. */
  content: PartitionContent | null;
  label: DiskLabel;
  windows: WindowInfo[];
  counters: Counters;
}

const INFO_HELP = {
  examples: [
    { what: 'Tell what an image is, and what lies on it.', line: 'rumpblk info disk.img' },
    { what: 'Look into a qcow2 image, and at one partition of it.', line: 'rumpblk info disk.qcow2 --format qcow2 --partition 1' },
  ],
};

/** Declares the command; `done` gets its exit status. */
export function addInfo(program: Command, done: Done): void {
  const command = addFileCommand(program, 'info', 'Show what a device is, and what lies on it.').option(
    '-v, --verbose',
    'also its disklabel, made up where it has none, windows and counters',
  );
  explain(addSharedOptions(command), INFO_HELP).action(async (file: string, options: InfoOptions) =>
    done(await infoCommand(file, options)),
  );
}

async function infoCommand(file: string, options: InfoOptions): Promise<number> {
  const { told, nature } = await withImage(file, options, { mode: 'r' }, describe);
  await (options.json === true ? emitJson(told) : emit(render(file, nature, told, options)));
  return EXIT.ok;
}

/** Reads the first and the last sector, so that a device that does not answer is found out and the counters have something to say. */
async function describe(device: BlockDevice, driver: BlockDriver): Promise<{ told: Description; nature: string }> {
  const minor = driver.minors().find((info) => info.minor === device.minor);
  if (minor === undefined) throw new Error(`minor ${device.minor} is missing in its own table`);
  const sector = Buffer.alloc(device.sectorSize);
  await device.read(sector, 0);
  const beginning = Buffer.from(sector);
  await device.read(sector, Math.max(0, device.size - sector.byteLength));
  // Before the tables are read: what that takes is of no interest.
  const counters = driver.counters();
  const told: Description = {
    file: device.path,
    source: minor.source,
    type: minor.type,
    offset: minor.offset,
    size: device.size,
    sectorSize: device.ioctl('DIOCGSECTORSIZE'),
    sectors: Math.floor(device.size / device.sectorSize),
    access: device.access,
    engine: driver.engine,
    table: (await readPartitions(device, { probe: true })) ?? null,
    content: (await contentOfDevice(device)) ?? null,
    label: device.ioctl('DIOCGDINFO'),
    windows: device.windows(),
    counters,
  };
  const nothing = told.table === null && told.content === null;
  return { told, nature: describeNature({ ...told, beginning, isBlank: nothing && (await isBlank(device)) }) };
}

const SOURCE_NAMES = {
  file: 'regular file',
  block: 'block device',
  character: 'character device',
  memory: 'disk in memory',
  null: 'null medium',
  overlay: 'overlay',
  nbd: 'export of an NBD server',
} as const;

/** `file` is what the user called it: a medium has a name of its own. */
function render(file: string, nature: string, info: Description, { verbose = false }: InfoOptions): string {
  const geometry = table(
    ['', ''],
    [
      ['kind', SOURCE_NAMES[info.source]],
      ['size', info.size < 1024 ? sizeOf(info) : `${sizeOf(info)} (${info.size} bytes)`],
      ...(info.offset === 0 ? [] : [['offset', `${formatExact(info.offset)} into it`]]),
      ['sectors', `${formatCount(info.sectors)} of ${info.sectorSize} bytes`],
      ['access', info.access],
      ['engine', info.engine],
      ...contentRows(info.content),
    ],
  );
  const tables = info.table === null ? [] : [partitionsOf(info.table)].filter((text) => text !== '');
  const first = section(`${file}: ${sizeOf(info)}, ${nature}`, [...tables, geometry].join('\n\n'));
  if (!verbose) return `${first.trimEnd()}\n`;
  return [
    first,
    section('Label', renderLabel(info.label)),
    section('Windows', renderWindows(info.windows)),
    section('Counters after reading the first and the last sector', renderCounters(info.counters)).trimEnd(),
    '\n',
  ].join('');
}

function sizeOf({ size }: Description): string {
  return size < 1024 ? formatNumber(size, 'byte') : formatBytes(size);
}

function contentRows(content: PartitionContent | null): string[][] {
  if (content === null || imageAdvice(content) !== undefined) return [];
  const { type, label, uuid } = content;
  return [
    ['holds', [type, ...(label === undefined ? [] : [`label ${label}`]), ...(uuid === undefined ? [] : [`UUID ${uuid}`])].join(', ')],
  ];
}

/** The partitions of a tree, and what is wrong with its tables. */
function partitionsOf(divided: PartitionTable): string {
  const rows = rowsOf(divided, '');
  const list = rows.length === 0 ? [] : [table(['partition', '>size', 'type', 'label', 'holds'], rows)];
  const problems = tablesOf(divided).flatMap((one) => one.problems);
  return [...list, ...problems.map((problem) => `  ! ${printable(problem)}`)].join('\n');
}

function rowsOf(divided: PartitionTable, indent: string): string[][] {
  return divided.partitions.flatMap((entry) => [
    rowOf(entry, indent),
    ...(entry.table === undefined ? [] : rowsOf(entry.table, `${indent}  `)),
  ]);
}

function rowOf({ name, size, typeName, label, content, table: inside }: PartitionEntry, indent: string): string[] {
  const holds = content === undefined ? [] : [content.type, ...(content.label === undefined ? [] : [`'${content.label}'`])];
  const nested = inside === undefined ? [] : [SCHEME_NAMES[inside.scheme]];
  return [`${indent}${name}`, formatBytes(size), typeName, label ?? '', [...holds, ...nested].join(' ')];
}

/** The label as `disklabel` shows one: the disk in a line or two, then its partitions in sectors. */
export function renderLabel(label: DiskLabel): string {
  const disk = table(
    ['', ''],
    [
      ['disk', `${label.typename}, ${label.packname} (type ${label.type})`],
      [
        'geometry',
        `${formatNumber(label.nsectors, 'sector')} a track, ${formatNumber(label.ntracks, 'track')} a cylinder, ${formatNumber(label.ncylinders, 'cylinder')}`,
      ],
      ['total', `${formatCount(label.secperunit)} sectors of ${label.secsize} bytes`],
      ['checksum', `0x${label.checksum.toString(16).padStart(4, '0')}`],
    ],
  );
  const rows = label.partitions.map((partition, index) => [
    `${String.fromCharCode(0x61 + index)}:`,
    formatCount(partition.offset),
    formatCount(partition.size),
    formatBytes(partition.size * label.secsize),
    String(partition.fstype),
  ]);
  return `${disk}\n\n${table(['partition', '>offset', '>sectors', '>size', '>fstype'], rows)}`;
}

function renderWindows(windows: readonly WindowInfo[]): string {
  if (windows.length === 0) return '  none mapped';
  const rows = windows.map((window) => [formatExact(window.offset), formatExact(window.length), String(window.refs)]);
  return table(['>file offset', '>length', '>in use'], rows);
}

/** Every counter with its unit. */
export function renderCounters(counters: Counters): string {
  const count = (value: number): string => formatCount(value);
  return table(
    ['', '>'],
    [
      ['requests', count(counters.ioTotal)],
      ['  of them deferred', count(counters.ioAsync)],
      ['read', formatBytes(counters.bytesRead)],
      ['written', formatBytes(counters.bytesWritten)],
      ['  of it deferred', formatBytes(counters.bytesWrittenAsync)],
      ['window hits', count(counters.windowHits)],
      ['window misses', count(counters.windowMisses)],
      ['waits for a window', count(counters.windowBusy)],
      ['faults injected', count(counters.faultsInjected)],
      ['syncs', count(counters.flushes)],
    ],
  );
}
