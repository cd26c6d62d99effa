// The adapters as callers write them, and what must not compile. Never run.
import type { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { Disk } from 'file-disk';
import type { BlockDevice, BlockDeviceError } from 'rumpblk';
import {
  copy,
  type CopyOptions,
  type CopyProgress,
  type CopyReflink,
  type CopyResult,
  type CopySource,
  type CopySparse,
  type CopyTarget,
} from 'rumpblk/copy';
import { fatfsDriver, type FatfsCallback, type FatfsDriverOptions, type FatfsVolumeDriver } from 'rumpblk/fatfs';
import { DeviceDisk, type DeviceDiskOptions } from 'rumpblk/file-disk';
import {
  createReadStream,
  createWriteStream,
  openFileHandle,
  type DeviceFileHandle,
  type DeviceReadStream,
  type DeviceStats,
  type DeviceWriteStream,
} from 'rumpblk/fs';
import type { FileHandleOptions, FileTransferOptions, ReadStreamOptions, WriteStreamOptions } from 'rumpblk/fs';
import { RandomAccessDevice, type RandomAccessDeviceOptions, type RandomAccessStorage } from 'rumpblk/random-access-storage';
import type { Equal, Expect, Extends } from './expect.js';

export type Shapes = [
  Expect<Extends<DeviceDisk, Disk>>,
  Expect<Extends<RandomAccessDevice, RandomAccessStorage>>,
  Expect<Extends<DeviceFileHandle, EventEmitter & AsyncDisposable>>,
  Expect<Extends<DeviceReadStream, Readable>>,
  Expect<Extends<DeviceWriteStream, Writable>>,
  Expect<Equal<Awaited<ReturnType<typeof copy>>, CopyResult>>,
  Expect<Equal<Awaited<ReturnType<DeviceFileHandle['stat']>>, DeviceStats>>,
  Expect<Extends<BlockDevice | string | URL | Buffer, CopySource & CopyTarget>>,
  Expect<Extends<Readable, CopySource>>,
  Expect<Extends<Writable, CopyTarget>>,
];

export async function accepted(device: BlockDevice, signal: AbortSignal): Promise<unknown[]> {
  const disk = new DeviceDisk(device, { readOnly: true });
  const { bytesRead } = await disk.read(Buffer.alloc(9), 0, 9, 0);
  const driver: FatfsVolumeDriver = fatfsDriver(device, { sectorSize: 4096 });
  driver.writeSectors?.(0, Buffer.alloc(512), (error) => error?.message);
  const storage = new RandomAccessDevice(device, { closeDevice: true });
  storage.read(0, 5, (error, data) => [error, data.length]);
  const handle = openFileHandle(device);
  const got = await handle.read(new Float64Array(8), { position: 5n, signal });
  const keepsTheView: Expect<Equal<typeof got.buffer, Float64Array<ArrayBuffer>>> = true;
  const own: Buffer = (await handle.read()).buffer;
  await handle.write('text', null, 'latin1');
  const options: ReadStreamOptions & WriteStreamOptions = { start: 0, highWaterMark: 512, signal };
  const streams = [
    handle.createReadStream(options),
    createReadStream(device, options),
    createWriteStream(device, options),
    handle.createWriteStream(options),
    handle.readableWebStream(),
    handle.writableWebStream(),
  ];
  const [sparse, reflink]: [CopySparse, CopyReflink] = ['detect', 'never'];
  const copying: CopyOptions = {
    length: 5n,
    verify: true,
    sparse,
    reflink,
    targetIsZero: false,
    onProgress: ({ total }: CopyProgress) => total,
  };
  const copied = await copy(handle.createReadStream(), new URL('file:///x.img'), copying);
  await copy(handle.readableWebStream(), handle.writableWebStream());
  return [bytesRead, keepsTheView, own, streams, copied.bytes, disk.device.size];
}

export type Named = [
  FatfsCallback,
  FatfsDriverOptions,
  DeviceDiskOptions,
  FileHandleOptions,
  FileTransferOptions,
  RandomAccessDeviceOptions,
  BlockDeviceError,
];

export function refused(device: BlockDevice, handle: DeviceFileHandle, readable: Readable): unknown[] {
  return [
    // @ts-expect-error a device, not its path
    new DeviceDisk('x.img'),
    // @ts-expect-error no positional booleans
    new DeviceDisk(device, true),
    // @ts-expect-error a sector is a number of bytes
    fatfsDriver(device, { sectorSize: '512' }),
    // @ts-expect-error a Web stream gives bytes
    handle.readableWebStream({ encoding: 'utf8' }),
    // @ts-expect-error a stream that is read is no target
    copy(device, readable),
    // @ts-expect-error what a handle is of does not change
    (handle.device = device),
  ];
}
