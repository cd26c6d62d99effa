// rumpblk discard and rumpblk zero: a range of the device that nobody needs, or that is to read as zeros.
import type { BlockDevice } from '../index.js';
import { EXIT, UsageError } from './support/failure.js';
import { withImage, type ImageOptions } from './support/image.js';
import { emitJson, note } from './support/report.js';

export interface DiscardOptions extends ImageOptions {
  position: number;
  length: number;
  flush: boolean;
  json?: boolean;
}

export interface ZeroOptions extends DiscardOptions {
  keepRoom?: boolean;
  fua?: boolean;
}

export async function discardCommand(file: string, options: DiscardOptions): Promise<number> {
  return onRange(file, options, 'bytesDiscarded', async (device) => {
    const { bytesDiscarded } = await device.discard(options.position, options.length);
    const reach = Math.min(options.length, device.size - options.position);
    if (bytesDiscarded < reach) note(`this medium cannot discard: ${bytesDiscarded} of ${reach} bytes`);
    return bytesDiscarded;
  });
}

export async function zeroCommand(file: string, options: ZeroOptions): Promise<number> {
  const { position, length, keepRoom = false, fua = false, flush } = options;
  if (fua && !flush) throw new UsageError('--fua and --no-flush exclude each other');
  return onRange(file, options, 'bytesZeroed', async (device) => {
    const { bytesWritten } = await device.writeZeroes(position, length, { mayUnmap: !keepRoom, fua });
    return bytesWritten;
  });
}

/** Does `work` on the device, and tells what it gives by that name. */
async function onRange(
  file: string,
  options: DiscardOptions,
  name: 'bytesDiscarded' | 'bytesZeroed',
  work: (device: BlockDevice) => Promise<number>,
): Promise<number> {
  const { position, length, flush } = options;
  // Without the flush there must be none at close either: cache mode unsafe promises nothing and syncs nothing.
  const report = await withImage(file, options, { mode: 'r+', cache: flush ? 'writeback' : 'unsafe' }, async (device, driver) => {
    const bytes = await work(device);
    if (flush) await device.flush();
    return { file, position, [name]: bytes, flushed: flush, access: device.access, counters: driver.counters() };
  });
  const bytes = Number(report[name]);
  if (bytes < length && name === 'bytesZeroed') note(`the device ended: ${bytes} of ${length} bytes`);
  if (options.json === true) await emitJson(report);
  return EXIT.ok;
}
