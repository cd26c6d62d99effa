// What callers write, and what must not compile. Never run.
import { BlockDevice, BlockDeviceError, BlockDriver, open, openSync, writePartitions } from 'rumpblk';
import type { DiskLabel, PartitionEntry, TableToWrite } from 'rumpblk';
import type { Equal, Expect } from './expect.js';

export async function accepted(driver: BlockDriver, device: BlockDevice): Promise<unknown[]> {
  const { bytesRead, buffer } = await device.read(new Float64Array(64), 4096n, { offset: 8, length: 504 });
  const keepsTheView: Expect<Equal<typeof buffer, Float64Array<ArrayBuffer>>> = true;
  const label: DiskLabel = device.ioctl('DIOCGDINFO');
  const partition = device.ioctl('DIOCGPART', 3).offset + device.ioctl('DIOCGPART').size;
  const synced: Promise<void> = device.ioctl('DIOCCACHESYNC');
  const opened = await open(new URL('file:///x.img'), { mode: 'r+', offset: 512, size: 1024n, driver });
  const { signal } = new AbortController();
  await Promise.all([opened.write(Buffer.alloc(512), 0, { fua: true, signal }), opened.flush({ signal }), synced]);
  const fresh: TableToWrite = { scheme: 'mbr', partitions: [{ start: 1048576, size: 1048576, type: 0x83 }] };
  await writePartitions(opened, fresh);
  return [bytesRead, keepsTheView, label.partitions, partition, openSync(Buffer.from('x.img'), { access: 'pio', direct: true })];
}

export function narrowed(error: unknown): string | undefined {
  return error instanceof BlockDeviceError && error.injected === true ? `${error.code} ${error.errno}` : undefined;
}

export function refused(driver: BlockDriver, device: BlockDevice, data: Buffer, signal: AbortSignal, entry: PartitionEntry): unknown[] {
  return [
    // @ts-expect-error a device is opened, not constructed
    new BlockDevice(),
    // @ts-expect-error a device has no cursor: the position is required
    device.readSync(data),
    // @ts-expect-error a view, not the memory under it
    device.readSync(new ArrayBuffer(512), 0),
    // @ts-expect-error the whole view is the default, undefined is not a length
    device.readSync(data, 0, { length: undefined }),
    // @ts-expect-error a synchronous call cannot be aborted
    device.writeSync(data, 0, { signal }),
    // @ts-expect-error neither can this
    driver.openSync(0, { signal }),
    // @ts-expect-error a read is never FUA
    device.read(data, 0, { fua: true }),
    // @ts-expect-error modes are 'r' and 'r+'
    openSync('x.img', { mode: 'w' }),
    // @ts-expect-error an ioctl that there is not
    device.ioctl('DIOCEJECT'),
    // @ts-expect-error this one takes no argument
    device.ioctl('DIOCGDINFO', 1),
    // @ts-expect-error an entry has a place
    writePartitions(device, { scheme: 'mbr', partitions: [{ type: 0x83 }] }),
    // @ts-expect-error a rate is needed
    driver.faults.set({ seed: 1 }),
    // @ts-expect-error what a device is does not change
    (device.size = 0),
    // @ts-expect-error a partition is no range of a file, though it has a size
    open('x.img', entry),
    // @ts-expect-error nor is it one to register
    driver.registerSync('x.img', entry),
    // @ts-expect-error the injector is called faults
    new BlockDriver({ fault: { rate: 1 } }),
    // @ts-expect-error strategy counts in sectors, under the kernel's name
    device.strategySync({ op: 'read', position: 0, data }),
  ];
}
