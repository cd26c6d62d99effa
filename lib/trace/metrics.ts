// metrics(): counters of drivers and latencies of devices as text for Prometheus, version 0.0.4 of its exposition format.
import { isDriver, type BlockDriver } from '../driver.js';
import { BlockDevice } from '../device.js';
import { keysOf } from '../arguments/known-keys.js';
import { listOf, requireOptions, text } from '../arguments/validate.js';
import { invalidArgType, invalidArgValue } from '../errors.js';
import type { DeviceStats, OperationStats } from './stats.js';

/** The drivers and devices that {@link metrics} reports. */
export interface MetricsSources {
  /** Their counters; default: none. */
  drivers?: readonly BlockDriver[];
  /** Their latencies, errors and bytes, from the first `stats()` on, which this calls; default: none. */
  devices?: readonly BlockDevice[];
  /** Prefix of all names; default `'rumpblk'`. */
  prefix?: string;
}

const KEYS = keysOf<MetricsSources>({ drivers: true, devices: true, prefix: true }, { driver: "'drivers'", device: "'devices'" });
const MOST = 65536;
/** Upper bounds of what is counted, in nanoseconds: 1, 2.5 and 5 of each power of ten, from 1 µs to 10 s. */
const BOUNDS = [3, 4, 5, 6, 7, 8, 9].flatMap((power) => [1, 2.5, 5].map((step) => step * 10 ** power)).concat(1e10);

/**
 * Gives counters and latencies as Prometheus reads them. A driver is told by its index in `driver`, a device by its path, its minor and its index.
 *
 * @param sources `drivers`, `devices`, default none; `prefix`, default `'rumpblk'`
 * @returns text in lines, for `Content-Type: text/plain; version=0.0.4`
 * @throws {BlockDeviceError} EBADF a device is closed
 *
 * @example
 * const text = metrics({ drivers: [device.driver], devices: [device] });
 */
export function metrics(sources: MetricsSources): string {
  requireOptions(sources, 'sources', KEYS);
  const prefix = text(sources.prefix ?? 'rumpblk', 'sources.prefix');
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(prefix)) throw invalidArgValue('sources.prefix', prefix, 'must be a name of Prometheus');
  const drivers = listOf(sources.drivers ?? [], 'sources.drivers', MOST, driverAt);
  const devices = listOf(sources.devices ?? [], 'sources.devices', MOST, deviceAt);
  return [...countersOf(drivers, prefix), ...latenciesOf(devices, prefix), ''].join('\n');
}

function driverAt(driver: unknown, name: string): BlockDriver {
  if (!isDriver(driver)) throw invalidArgType(name, 'an instance of BlockDriver', driver);
  return driver;
}

function deviceAt(device: unknown, name: string): BlockDevice {
  if (!(device instanceof BlockDevice)) throw invalidArgType(name, 'an instance of BlockDevice', device);
  return device;
}

function* countersOf(drivers: readonly BlockDriver[], prefix: string): Generator<string, void, undefined> {
  const counters = drivers.map((driver) => driver.counters() as unknown as Record<string, number>);
  for (const name of Object.keys(counters[0] ?? {})) {
    const metric = `${prefix}_driver_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/_total$/, '')}_total`;
    yield* titleOf(metric, 'counter', `Counter ${name} of a driver.`);
    for (const [driver, values] of counters.entries()) yield `${metric}{driver="${driver}"} ${values[name] ?? 0}`;
  }
}

function* latenciesOf(devices: readonly BlockDevice[], prefix: string): Generator<string, void, undefined> {
  if (devices.length === 0) return;
  const rows = devices.flatMap((device, i) => rowsOf(device, i));
  for (const [name, help, value] of [
    ['requests_failed_total', 'Requests that failed.', ({ errors }: OperationStats) => errors],
    ['request_bytes_total', 'Bytes that requests moved.', ({ bytes }: OperationStats) => bytes],
  ] as const) {
    yield* titleOf(`${prefix}_${name}`, 'counter', help);
    for (const [labels, stats] of rows) yield `${prefix}_${name}{${labels}} ${value(stats)}`;
  }
  const metric = `${prefix}_request_duration_seconds`;
  yield* titleOf(metric, 'histogram', 'Time from the call of a request to its completion.');
  for (const [labels, { count, histogram }] of rows) {
    for (const bound of BOUNDS) yield `${metric}_bucket{${labels},le="${bound / 1e9}"} ${histogram.countUpTo(bound)}`;
    yield `${metric}_bucket{${labels},le="+Inf"} ${count}`;
    yield `${metric}_sum{${labels}} ${histogram.sum / 1e9}`;
    yield `${metric}_count{${labels}} ${count}`;
  }
}

function rowsOf(device: BlockDevice, index: number): [labels: string, stats: OperationStats][] {
  const stats: DeviceStats = device.stats();
  const place = `device="${escaped(device.path)}",minor="${device.minor}",index="${index}"`;
  return Object.entries(stats).map(([op, each]) => [`${place},op="${op}"`, each]);
}

function* titleOf(metric: string, type: string, help: string): Generator<string, void, undefined> {
  yield `# HELP ${metric} ${help}`;
  yield `# TYPE ${metric} ${type}`;
}

function escaped(label: string): string {
  return label.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
