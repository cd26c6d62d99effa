// A program as an old compiler or another library of types sees it; scripts/suites/typescripts.mjs checks it with each.
import { BlockDeviceError, BlockDriver, open, readPartitions, type BlockDevice, type OpenOptions } from 'rumpblk';
import { copy } from 'rumpblk/copy';
import { fatfsDriver } from 'rumpblk/fatfs';
import { DeviceDisk } from 'rumpblk/file-disk';
import { openFileHandle } from 'rumpblk/fs';
import { memory, type Medium } from 'rumpblk/media';
import { RandomAccessDevice } from 'rumpblk/random-access-storage';

const options: OpenOptions = { mode: 'r+', cache: 'writeback' };

export async function main(url: string): Promise<unknown[]> {
  const device: BlockDevice = await open('disk.img', options);
  const { bytesRead } = await device.read(Buffer.alloc(512), 0);
  const handle = openFileHandle(device);
  const { buffer } = await handle.read();
  const text: string = buffer.toString('latin1');
  // The assertion is what users write: that the type of a body fits is what is tested.
  // eslint-disable-next-line @typescript-eslint/no-non-null-assertion
  await copy((await fetch(url)).body!, device);
  await copy(device, new WritableStream<Uint8Array>());
  await copy(handle.readableWebStream(), 'copy.img');
  const disk: Medium = memory({ size: 4096 });
  await copy('copy.img', disk);
  const table = await readPartitions(device);
  const failure = new BlockDeviceError({ errno: -5, syscall: 'read' }, { cause: text });
  return [bytesRead, table?.partitions, failure, fatfsDriver(device), new DeviceDisk(device), new RandomAccessDevice(device), BlockDriver];
}
