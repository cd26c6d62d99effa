// Changes of one partition: read, change and write as one call. Another change that comes in between is noticed, and what it wrote
// is read again: of calls that are under way together none undoes another.
import { constants } from 'node:os';
import { changesOf, choiceOf, settingsOf, sizeOf, toAdd, type ChangeOptions } from './change-arguments.js';
import { fromFailure, isFailure } from '../errors.js';
import { READ_ONLY } from './free-ranges.js';
import { handleOf, type BlockDevice } from '../device.js';
import { chosenName, type DiskPlace, type PartitionChoice } from '../label/choice.js';
import { tableRows } from '../label/table-rows.js';
import { whyUnchangeable } from '../label/verdicts.js';
import { finish } from '../label/written.js';
import { SCHEMES, type Failure, type NativeTable, type NativeWritten, type TableRows } from '../native/binding.js';
import { toTable, type PartitionEntry, type PartitionTable } from '../partitions.js';
import type { DeviceHandle } from '../request/handle.js';
import { changed, placedIn, refusal, type NamedChange, type PartitionChange, type PartitionToAdd, type Placed } from './table-changes.js';
import type { Bytes } from '../request/transfer.js';

/**
 * Changes partitions of a device, all at once or not at all; everything else of the table stays as it is.
 *
 * @param device device opened with mode 'r+'
 * @param changes in their order: `{ add }`, `{ resize, size }`, `{ remove }`; partitions are chosen as they are before all of them
 * @param options `alignment` in bytes, default 1 MiB; `dryRun`, default false
 * @returns the table as it is now, or with `dryRun` as it would be
 * @throws {BlockDeviceError} ENXIO no such partition; ENOSPC no room; EINVAL not divided, or a table that cannot be; each with a `cause` that says why; EACCES mode 'r'; EBUSY it moves, shrinks or drops an open partition; EROFS protected; EIO host; EBADF closed
 *
 * @example
 * await changePartitions(device, [{ remove: 'p3' }, { resize: 'p2', size: 'rest' }]);
 */
export async function changePartitions(
  device: BlockDevice,
  changes: readonly PartitionChange[],
  options?: ChangeOptions,
): Promise<PartitionTable> {
  const handle = handleOf(device, 'write');
  return (await change(handle, changesOf(changes), settingsOf(options))).table;
}

/**
 * Changes partitions of a device, all at once or not at all, on the calling thread.
 *
 * @param device device opened with mode 'r+'
 * @param changes in their order; partitions are chosen as they are before all of them
 * @param options `alignment` in bytes, default 1 MiB; `dryRun`, default false
 * @returns the table as it is now, or with `dryRun` as it would be
 * @throws {BlockDeviceError} as {@link changePartitions} does
 *
 * @example
 * changePartitionsSync(device, [{ remove: 'p2' }, { add: { type: 'linux', size: 8388608 } }]);
 */
export function changePartitionsSync(device: BlockDevice, changes: readonly PartitionChange[], options?: ChangeOptions): PartitionTable {
  const handle = handleOf(device, 'write');
  return changeSync(handle, changesOf(changes), settingsOf(options)).table;
}

/**
 * Adds a partition where there is room, and changes nothing else.
 *
 * @param device device opened with mode 'r+', which has a table
 * @param partition its type; `start` and `size` in bytes, default the largest free range, aligned; `inside` an extended partition or a slice
 * @param options `alignment` in bytes, default 1 MiB; `dryRun`, default false
 * @returns the partition as it is now, with its name
 * @throws {BlockDeviceError} as {@link changePartitions} does
 *
 * @example
 * const { name } = await addPartition(device, { type: 'linux', size: 64 * 1024 * 1024, label: 'root' });
 */
export async function addPartition(device: BlockDevice, partition: PartitionToAdd, options?: ChangeOptions): Promise<PartitionEntry> {
  const handle = handleOf(device, 'write');
  return only(await change(handle, [{ add: toAdd(partition, 'partition') }], settingsOf(options)));
}

/**
 * Adds a partition where there is room, on the calling thread.
 *
 * @param device device opened with mode 'r+', which has a table
 * @param partition its type; `start` and `size` in bytes, default the largest free range, aligned; `inside` an extended partition or a slice
 * @param options `alignment` in bytes, default 1 MiB; `dryRun`, default false
 * @returns the partition as it is now, with its name
 * @throws {BlockDeviceError} as {@link changePartitions} does
 *
 * @example
 * addPartitionSync(device, { type: 'linux', size: 8388608 });
 */
export function addPartitionSync(device: BlockDevice, partition: PartitionToAdd, options?: ChangeOptions): PartitionEntry {
  const handle = handleOf(device, 'write');
  return only(changeSync(handle, [{ add: toAdd(partition, 'partition') }], settingsOf(options)));
}

/**
 * Gives a partition another size; its start stays, and what lies in it is not touched.
 *
 * @param device device opened with mode 'r+'
 * @param partition its name as {@link readPartitions} gives it, or whatever else chooses it: see {@link PartitionChoice}
 * @param size bytes, or `'rest'`: all that is free behind it
 * @param options `alignment` in bytes of the end that `'rest'` gives, default 1 MiB; `dryRun`, default false
 * @returns the partition as it is now
 * @throws {BlockDeviceError} as {@link changePartitions} does
 *
 * @example
 * await resizePartition(device, 'root', 16777216);
 */
export async function resizePartition(
  device: BlockDevice,
  partition: PartitionChoice,
  size: Bytes | 'rest',
  options?: ChangeOptions,
): Promise<PartitionEntry> {
  const handle = handleOf(device, 'write');
  return only(await change(handle, [{ resize: choiceOf(partition, 'partition'), size: sizeOf(size, 'size') }], settingsOf(options)));
}

/**
 * Gives a partition another size, on the calling thread.
 *
 * @param device device opened with mode 'r+'
 * @param partition its name, or whatever else chooses it: see {@link PartitionChoice}
 * @param size bytes, or `'rest'`: all that is free behind it
 * @param options `alignment` in bytes of the end that `'rest'` gives, default 1 MiB; `dryRun`, default false
 * @returns the partition as it is now
 * @throws {BlockDeviceError} as {@link changePartitions} does
 *
 * @example
 * resizePartitionSync(device, 'p2', 16777216);
 */
export function resizePartitionSync(
  device: BlockDevice,
  partition: PartitionChoice,
  size: Bytes | 'rest',
  options?: ChangeOptions,
): PartitionEntry {
  const handle = handleOf(device, 'write');
  return only(changeSync(handle, [{ resize: choiceOf(partition, 'partition'), size: sizeOf(size, 'size') }], settingsOf(options)));
}

/**
 * Removes a partition from its table, an extended one with the logical ones in it; what lay in it is not touched.
 *
 * @param device device opened with mode 'r+'
 * @param partition its name as {@link readPartitions} gives it, or whatever else chooses it: see {@link PartitionChoice}
 * @param options `dryRun`, default false
 * @returns the table as it is now, or with `dryRun` as it would be
 * @throws {BlockDeviceError} as {@link changePartitions} does
 *
 * @example
 * await removePartition(device, 'p2');
 */
export async function removePartition(device: BlockDevice, partition: PartitionChoice, options?: ChangeOptions): Promise<PartitionTable> {
  const handle = handleOf(device, 'write');
  return (await change(handle, [{ remove: choiceOf(partition, 'partition') }], settingsOf(options))).table;
}

/**
 * Removes a partition from its table, on the calling thread.
 *
 * @param device device opened with mode 'r+'
 * @param partition its name, or whatever else chooses it: see {@link PartitionChoice}
 * @param options `dryRun`, default false
 * @returns the table as it is now, or with `dryRun` as it would be
 * @throws {BlockDeviceError} as {@link changePartitions} does
 *
 * @example
 * removePartitionSync(device, 'root');
 */
export function removePartitionSync(device: BlockDevice, partition: PartitionChoice, options?: ChangeOptions): PartitionTable {
  const handle = handleOf(device, 'write');
  return changeSync(handle, [{ remove: choiceOf(partition, 'partition') }], settingsOf(options)).table;
}

// ---- one change, from the read to the table that is there afterwards

interface Changed {
  readonly table: PartitionTable;
  readonly placed: readonly (Placed | undefined)[];
}

interface Plan {
  readonly rows: TableRows;
  readonly version: number;
  readonly placed: readonly (Placed | undefined)[];
}

async function change(handle: DeviceHandle, changes: readonly PartitionChange[], settings: ChangeOptions): Promise<Changed> {
  for (;;) {
    const plan = planOf(await handle.native.readTable(), changes, settings, handle);
    const written = await handle.native.writeTable(plan.rows, false, plan.version, settings.dryRun === true);
    if (hasChanged(written)) continue;
    return {
      placed: plan.placed,
      table: tableAfter(written, handle, settings.dryRun === true ? undefined : await handle.native.readTable()),
    };
  }
}

function changeSync(handle: DeviceHandle, changes: readonly PartitionChange[], settings: ChangeOptions): Changed {
  for (;;) {
    const plan = planOf(handle.native.readTableSync(), changes, settings, handle);
    const written = handle.native.writeTableSync(plan.rows, false, plan.version, settings.dryRun === true);
    if (hasChanged(written)) continue;
    return {
      placed: plan.placed,
      table: tableAfter(written, handle, settings.dryRun === true ? undefined : handle.native.readTableSync()),
    };
  }
}

function planOf(
  answer: NativeTable | null | Failure,
  changes: readonly PartitionChange[],
  settings: ChangeOptions,
  handle: DeviceHandle,
): Plan {
  if (isFailure(answer)) throw fromFailure(answer, handle);
  if (answer === null) throw refusal('EINVAL', 'the device is not divided: writePartitions makes a table', handle);
  const why = whyUnchangeable(answer.verdicts, READ_ONLY.includes(SCHEMES[answer.scheme]));
  if (why !== undefined) throw refusal('EINVAL', why, handle);
  const named = changes.map((each) => withNames(each, answer, handle));
  const { table, placed } = changed(toTable(answer), named, settings.alignment, handle);
  return { rows: tableRows(table), version: answer.version ?? 0, placed };
}

function withNames(change: PartitionChange, table: NativeTable, handle: DeviceHandle): NamedChange {
  const nameOf = (choice: PartitionChoice): string => chosenName(table, choice, diskOf(handle));
  if ('resize' in change) return { resize: nameOf(change.resize), size: change.size };
  if ('remove' in change) return { remove: nameOf(change.remove) };
  const { inside, ...rest } = change.add;
  return { add: inside === undefined ? rest : { ...rest, inside: nameOf(inside) } };
}

/** The disk as an error names it. */
function diskOf({ path, minor }: DeviceHandle): DiskPlace {
  return minor < 0 ? { path } : { path, minor };
}

/** Whether somebody else has changed the tables between the read and the write. */
function hasChanged(written: NativeWritten | Failure): boolean {
  const outcome = isFailure(written) ? written : written.outcome;
  return isFailure(outcome) && outcome[0] === constants.errno.EAGAIN;
}

/** `read` is what the device says after the write; a dry run has what it would say. */
function tableAfter(
  written: NativeWritten | Failure,
  handle: DeviceHandle,
  read: NativeTable | null | Failure | undefined,
): PartitionTable {
  finish(written, handle);
  if (isFailure(read)) throw fromFailure(read, handle);
  const table = read ?? (isFailure(written) ? undefined : written.table);
  if (table === undefined) throw refusal('ENXIO', 'the table is gone', handle);
  return toTable(table);
}

/** The partition of the one change. */
function only({ table, placed: [placed] }: Changed): PartitionEntry {
  const entry = placed === undefined ? undefined : placedIn(table, placed);
  if (entry === undefined) throw refusal('ENXIO', 'the partition is gone', {});
  return entry;
}
