// rumpblk info: what a device is, without changing it.
import type { BlockDevice, BlockDriver, Counters, DiskLabel, MinorInfo, WindowInfo } from '../index.js';
import { withImage, type ImageOptions } from './support/image.js';
import { EXIT } from './support/failure.js';
import { emit, emitJson, section, table } from './support/report.js';
import { formatBytes, formatCount, formatExact, formatNumber } from './support/units.js';

export interface InfoOptions extends ImageOptions {
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
  label: DiskLabel;
  windows: WindowInfo[];
  counters: Counters;
}

export async function infoCommand(file: string, options: InfoOptions): Promise<number> {
  const description = await withImage(file, options, { mode: 'r' }, describe);
  await (options.json === true ? emitJson(description) : emit(render(description)));
  return EXIT.ok;
}

/** Reads the first and the last sector, so that a device that does not answer is found out and the counters have something to say. */
async function describe(device: BlockDevice, driver: BlockDriver): Promise<Description> {
  const minor = driver.minors().find((info) => info.minor === device.minor);
  if (minor === undefined) throw new Error(`minor ${device.minor} is missing in its own table`);
  const sector = Buffer.alloc(device.sectorSize);
  await device.read(sector, 0);
  await device.read(sector, Math.max(0, device.size - sector.byteLength));
  return {
    file: device.path,
    source: minor.source,
    type: minor.type,
    offset: minor.offset,
    size: device.size,
    sectorSize: device.ioctl('DIOCGSECTORSIZE'),
    sectors: Math.floor(device.size / device.sectorSize),
    access: device.access,
    engine: driver.engine,
    label: device.ioctl('DIOCGDINFO'),
    windows: device.windows(),
    counters: driver.counters(),
  };
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

function render(info: Description): string {
  const geometry = table(
    ['', ''],
    [
      ['file', `${info.file}, ${SOURCE_NAMES[info.source]}`],
      ['size', info.size < 1024 ? formatNumber(info.size, 'byte') : `${formatBytes(info.size)} (${info.size} bytes)`],
      ['offset', `${formatExact(info.offset)} into it`],
      ['sectors', `${formatCount(info.sectors)} of ${info.sectorSize} bytes`],
      ['access', info.access],
      ['engine', info.engine],
    ],
  );
  return [
    section('Device', geometry),
    section('Label', renderLabel(info.label)),
    section('Windows', renderWindows(info.windows)),
    section('Counters after reading the first and the last sector', renderCounters(info.counters)).trimEnd(),
    '\n',
  ].join('');
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
