// The package: everything that callers may use.
export { open, openSync } from './open.js';
export { BlockDriver } from './driver.js';
export { BlockDevice } from './device.js';
export { Batch, BATCH_DISCARD, BATCH_FLUSH, BATCH_READ, BATCH_WRITE, BATCH_ZEROES } from './request/batch.js';
export { decodeDiskLabel, encodeDiskLabel } from './label/codec.js';
export {
  findDiskLabel,
  findDiskLabelSync,
  readPartitions,
  readPartitionsSync,
  writePartitions,
  writePartitionsSync,
} from './partitions.js';
export { freeRanges } from './changes/free-ranges.js';
export {
  addPartition,
  addPartitionSync,
  changePartitions,
  changePartitionsSync,
  removePartition,
  removePartitionSync,
  resizePartition,
  resizePartitionSync,
} from './changes/partition-changes.js';
export { planFromLog } from './faults/log.js';
export { createQcow2, createQcow2Sync } from './images.js';
export { BlockDeviceError } from './errors.js';

export type { OpenPathOptions } from './open.js';
export type { Medium } from './media/medium.js';
export type { Source } from './media/source.js';
export type { PartitionChoice } from './label/choice.js';
export type { MinorInfo, RegisteredPartition } from './minors.js';
export type { BlockErrorInfo, LockHolder, LostRange } from './errors.js';
export type { Extent, ExtentsOptions, ExtentType } from './request/extents.js';
export type { DeviceFeatures } from './request/features.js';
export type { CreateQcow2Options } from './images.js';
export type { Engine } from './engine.js';
export type { CacheMode, DriverOptions, ImageFormat, NotAnEntry, OpenOptions, RegisterOptions } from './options.js';
export type { RangeBufRequest, WriteZeroesOptions } from './request/range.js';
export type { BufRequest, BufResult, Bytes, Position, TransferOptions, View, WriteOptions } from './request/transfer.js';
export type { BatchOptions } from './request/batch.js';
export type { BitmapInfo, DirtyBitmap, TrackOptions } from './request/dirty-bitmap.js';
export type { DeviceStats, OperationStats, StatsOptions } from './trace/stats.js';
export type { Trace, TraceOptions } from './trace/trace.js';
export type { WindowView } from './request/window-view.js';
export type { WindowInfo } from './request/windows.js';
export type { FaultInjector, FaultOptions } from './faults.js';
export type { FaultAction, FaultDelay, FaultEvent, FaultMatch, FaultOp, FaultPlan, FaultRule } from './faults/types.js';
export type { VirtualClock } from './faults/virtual-clock.js';
export type { Counters } from './counters.js';
export type { IoctlMap, WedgeInfo } from './label/ioctl.js';
export type { DiskLabel, Partition } from './label/disk-label.js';
export type { DecodedLabel } from './label/codec.js';
export type { AlignmentOptions, FreeRange } from './changes/free-ranges.js';
export type { ChangeOptions } from './changes/change-arguments.js';
export type { PartitionChange, PartitionToAdd } from './changes/table-changes.js';
export type {
  EntryToWrite,
  FoundLabel,
  PartitionContent,
  PartitionEntry,
  PartitionTable,
  ReadPartitionsOptions,
  TableToWrite,
  WriteTableOptions,
} from './partitions.js';
