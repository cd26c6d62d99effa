// Keeps a Hyperbee, a sorted key-value store on a disk: a GPT partition for each of the files of its Hypercore.
// A Hypercore makes its files longer and shorter, and a partition has one size, so the first sector of each holds the length.
//
//   npm install rumpblk hypercore@10 hyperbee random-access-storage
//   node hyperbee-on-partitions.mjs bee.img colour green        stores, and makes the disk the first time
//   node hyperbee-on-partitions.mjs bee.img                     prints all that is stored
import { existsSync } from 'node:fs';
import { truncate, writeFile } from 'node:fs/promises';
import Hyperbee from 'hyperbee';
import Hypercore from 'hypercore';
import RandomAccessStorage from 'random-access-storage';
import { open, writePartitions } from 'rumpblk';

const MiB = 1024 * 1024;
const SECTOR = 512;
const FILES = ['oplog', 'tree', 'bitfield', 'data', 'header'];

/** A file on a device: sector 0 holds its length, the bytes follow. */
class FileOnDevice extends RandomAccessStorage {
  #kept = Promise.resolve();

  constructor(device) {
    super();
    this.device = device;
  }

  /** Keeps the length. Writes to one place are made one after the other: of two that are under way, either may come last. */
  #setLength(length) {
    this.length = length;
    this.#kept = this.#kept.then(async () => {
      const sector = Buffer.alloc(SECTOR);
      sector.writeBigUInt64LE(BigInt(this.length));
      await this.device.write(sector, 0);
    });
    return this.#kept;
  }

  /** Does the work of a request, and calls back outside of the promise. */
  #answer(request, work) {
    work().then(
      (value) => process.nextTick(() => request.callback(null, value)),
      (error) => process.nextTick(() => request.callback(error)),
    );
  }

  _open(request) {
    this.#answer(request, async () => {
      const { buffer } = await this.device.read(Buffer.alloc(SECTOR), 0);
      this.length = Number(buffer.readBigUInt64LE());
    });
  }

  _read(request) {
    const { offset, size } = request;
    this.#answer(request, async () => {
      if (offset + size > this.length) throw new Error('Could not satisfy length');
      return (await this.device.read(Buffer.alloc(size), SECTOR + offset)).buffer;
    });
  }

  _write(request) {
    const { offset, size, data } = request;
    this.#answer(request, async () => {
      const { bytesWritten } = await this.device.write(data, SECTOR + offset);
      if (bytesWritten < size) throw Object.assign(new Error('the partition is full'), { code: 'ENOSPC' });
      if (offset + size > this.length) await this.#setLength(offset + size);
    });
  }

  _del(request) {
    const size = Math.min(request.size, this.length - request.offset);
    this.#answer(request, async () => void (size > 0 && (await this.device.writeZeroes(SECTOR + request.offset, size))));
  }

  _truncate(request) {
    this.#answer(request, () => this.#setLength(request.offset));
  }

  _stat(request) {
    this.#answer(request, async () => ({ size: this.length }));
  }

  _close(request) {
    this.#answer(request, () => this.device.flush());
  }
}

const [path, key, value] = process.argv.slice(2);
if (path === undefined || (key !== undefined && value === undefined)) {
  console.error('usage: node hyperbee-on-partitions.mjs IMAGE [KEY VALUE]');
  process.exit(2);
}
if (!existsSync(path)) {
  await writeFile(path, '');
  await truncate(path, 64 * MiB);
  const disk = await open(path, { mode: 'r+' });
  const partitions = FILES.map((label, i) => ({ start: (1 + i * 12) * MiB, size: 12 * MiB, type: 'linux', label }));
  await writePartitions(disk, { scheme: 'gpt', partitions });
  await disk.close();
}

const devices = {};
for (const name of FILES) devices[name] = await open(path, { partition: name, mode: 'r+' });
const core = new Hypercore((name) => new FileOnDevice(devices[name]));
const bee = new Hyperbee(core, { keyEncoding: 'utf-8', valueEncoding: 'utf-8' });
await bee.ready();
if (key !== undefined) await bee.put(key, value);
for await (const entry of bee.createReadStream()) console.log(`${entry.key} = ${entry.value}`);
await bee.close();
for (const name of FILES) await devices[name].close();
