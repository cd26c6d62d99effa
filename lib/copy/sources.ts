// Sources of a copy: each is checked when copy() is called, and opened afterwards.
import { createReadStream } from 'node:fs';
import { hostPath } from '../arguments/validate.js';
import { handleOf } from '../device.js';
import { invalidArgType, invalidArgValue } from '../errors.js';
import { BlockDevice, BlockDeviceError, open } from '../index.js';
import { DeviceSource } from './device-ends.js';
import type { Source } from './ends.js';
import { isByteStream, isMedium, isPath } from './kinds.js';
import type { Source as DiskSource } from '../media/source.js';
import { refusePartition, type CopySettings } from './options.js';
import { statsOf } from './place.js';
import { StreamSource } from './stream-ends.js';

/** Checks a source, and gives what opens it. */
export function sourceOf(source: unknown, settings: CopySettings): () => Promise<Source> {
  const { sourcePosition = 0 } = settings;
  if (source instanceof BlockDevice) {
    refusePartition(settings, 'source');
    handleOf(source, 'read');
    return () => Promise.resolve(new DeviceSource(source, sourcePosition, false));
  }
  if (isByteStream(source)) {
    refusePartition(settings, 'source');
    refuseSpent(source);
    if (sourcePosition !== 0) throw invalidArgValue('options.sourcePosition', sourcePosition, 'must be 0 for a stream');
    return () => Promise.resolve(new StreamSource(source));
  }
  if (isMedium(source)) return () => openSource(source, settings);
  if (!isPath(source)) throw invalidArgType('source', 'a BlockDevice, a path, a Medium, or a stream that is read', source);
  hostPath(source, 'source');
  return () => openSource(source, settings);
}

/** Refuses a Readable whose bytes somebody else has taken, or takes: what is left of them would pass for all. */
function refuseSpent(source: object): void {
  const { readableEnded, readableFlowing } = source as { readableEnded?: unknown; readableFlowing?: unknown };
  if (readableEnded === true) throw invalidArgValue('source', source, 'must not have been read to its end');
  if (readableFlowing === true) throw invalidArgValue('source', source, 'must not flow, which gives its bytes to somebody else');
}

async function openSource(disk: DiskSource, settings: CopySettings): Promise<Source> {
  const { sourcePosition = 0, sourcePartition: partition, lock } = settings;
  let device: BlockDevice;
  try {
    device = await open(disk, partition === undefined ? { lock } : { lock, partition });
  } catch (error) {
    if (partition !== undefined || !isPath(disk)) throw error;
    // A file that does not tell its size, as those of /proc, ends where it ends.
    const isUntold = error instanceof BlockDeviceError && error.code === 'EINVAL' && (await statsOf(disk))?.isFile() === true;
    if (isUntold) return new StreamSource(createReadStream(disk, { start: sourcePosition }));
    throw error;
  }
  try {
    return new DeviceSource(device, sourcePosition, true);
  } catch (error) {
    await device.close();
    throw error;
  }
}
