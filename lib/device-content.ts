// What lies on a device as a whole, for the command: a probe of readPartitions() tells it of partitions.
import { handleOf, type BlockDevice } from './device.js';
import { fromFailure, isFailure } from './errors.js';
import type { PartitionContent } from './partitions.js';

/**
 * Finds out what lies on a device as a whole.
 *
 * @param device device to look at
 * @returns undefined where that is nothing known
 * @throws {BlockDeviceError} EIO host or injected; EBADF closed
 */
export async function contentOfDevice(device: BlockDevice): Promise<PartitionContent | undefined> {
  const handle = handleOf(device, 'read');
  const found = await handle.native.identifyContent();
  if (isFailure(found)) throw fromFailure(found, handle);
  if (found === null) return undefined;
  const [type, uuid, label] = found.content;
  return { type, ...(uuid !== '' && { uuid }), ...(label !== '' && { label }) };
}
