// The ESM face: the same objects as the CommonJS build, so that there is one copy of every class.
import './loads.mjs';
export {
  Batch,
  BATCH_DISCARD,
  BATCH_FLUSH,
  BATCH_READ,
  BATCH_WRITE,
  BATCH_ZEROES,
  BlockDevice,
  BlockDeviceError,
  BlockDriver,
  createQcow2,
  createQcow2Sync,
  open,
  openSync,
} from './index.js';
export {
  decodeDiskLabel,
  encodeDiskLabel,
  findDiskLabel,
  findDiskLabelSync,
  planFromLog,
  readPartitions,
  readPartitionsSync,
  writePartitions,
  writePartitionsSync,
} from './index.js';
export {
  addPartition,
  addPartitionSync,
  changePartitions,
  changePartitionsSync,
  freeRanges,
  removePartition,
  removePartitionSync,
  resizePartition,
  resizePartitionSync,
} from './index.js';
export type * from './index.js';
