// The bench of one test file: a directory of its own, fresh drivers per test, everything closed and removed afterwards.
import { ftruncateSync, mkdtempSync, openSync as openFile, closeSync as closeFile, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach } from '@jest/globals';
import { BlockDevice, BlockDriver, type DriverOptions, type OpenOptions, type RegisterOptions, type Source } from 'rumpblk';
import { memory } from 'rumpblk/media';
import { contentOf, filled } from './memory';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;
export const TiB = 1024 * GiB;
export const ACCESSES = ['auto', 'mmap', 'pio'] as const;

/** What suites about devices run over, whatever it is made of. */
export interface Ground {
  readonly name: 'file' | (typeof ACCESSES)[number] | 'memory';
  readonly access: (typeof ACCESSES)[number];
  /** A new disk with this content, or so many zeros that take no room. */
  disk(content: Uint8Array | number): Source;
}

/** `size` bytes that differ from sector to sector and from seed to seed. */
export function pattern(size: number, seed = 1): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = (seed * 0x9e3779b1) | 1;
  for (let i = 0; i < words.length; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return Buffer.from(words.buffer, 0, size);
}

export interface Rig {
  /** A path inside the directory of this file. */
  path(name: string): string;
  /** A new image file with this content. */
  image(content: Uint8Array): string;
  /** A new image file of this size without data blocks. */
  sparse(size: number): string;
  /** A file, and a disk in memory. */
  readonly media: readonly Ground[];
  /** A file by each way to it, and a disk in memory, which has one. */
  readonly grounds: readonly Ground[];
  /** All bytes of a disk, or of what a device lies on; of a file as the host has them. */
  bytes(of: BlockDevice | Source): Buffer;
  /** A fresh driver, closed after the test. */
  driver(options?: DriverOptions): BlockDriver;
  /** Closes a device after the test, before its driver. */
  keep<T extends Pick<BlockDevice, 'close'>>(device: T): T;
  /** Registers `source` with a fresh driver and opens it. */
  device(source: Source, options?: OpenOptions & RegisterOptions, tunables?: DriverOptions): BlockDevice;
}

/** All bytes of the disk that an open device lies on. */
function diskOf({ driver, minor, path: file }: BlockDevice): Buffer {
  const row = driver.minors().find((info) => info.minor === minor);
  if (row === undefined || row.source === 'file') return readFileSync(file);
  using disk = driver.openSync(row.disk ?? minor);
  const content = Buffer.alloc(disk.size);
  disk.readSync(content, 0);
  return content;
}

export function rig(): Rig {
  const directory = mkdtempSync(path.join(tmpdir(), 'rumpblk-test-'));
  const drivers: BlockDriver[] = [];
  const devices: Pick<BlockDevice, 'close'>[] = [];
  const sources = new WeakMap<BlockDevice, Source>();
  let images = 0;

  afterEach(async () => {
    for (const device of devices.splice(0).reverse()) await device.close();
    for (const driver of drivers.splice(0)) driver.close();
  });
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  const next = (): string => path.join(directory, `image-${(images += 1)}`);
  const onHost = (name: Ground['name'], access: Ground['access']): Ground => ({
    name,
    access,
    disk: (content) => (typeof content === 'number' ? made.sparse(content) : made.image(content)),
  });
  const inMemory: Ground = {
    name: 'memory',
    access: 'auto',
    disk: (content) => (typeof content === 'number' ? memory({ size: content }) : filled(content)),
  };
  const made: Rig = {
    path: (name) => path.join(directory, name),
    image(content) {
      const file = next();
      writeFileSync(file, content);
      return file;
    },
    sparse(size) {
      const file = next();
      const descriptor = openFile(file, 'w');
      ftruncateSync(descriptor, size);
      closeFile(descriptor);
      return file;
    },
    media: [onHost('file', 'auto'), inMemory],
    grounds: [...ACCESSES.map((access) => onHost(access, access)), inMemory],
    bytes(of) {
      if (!(of instanceof BlockDevice)) return typeof of === 'string' ? readFileSync(of) : contentOf(of);
      const source = sources.get(of);
      return source === undefined ? diskOf(of) : this.bytes(source);
    },
    driver(options) {
      const driver = new BlockDriver(options);
      drivers.push(driver);
      return driver;
    },
    keep(device) {
      devices.push(device);
      return device;
    },
    device(source, { offset, size, ...open } = {}, tunables) {
      const driver = this.driver(tunables);
      const range = { ...(offset === undefined ? {} : { offset }), ...(size === undefined ? {} : { size }) };
      const device = this.keep(driver.openSync(driver.registerSync(source, range), open));
      sources.set(device, source);
      return device;
    },
  };
  return made;
}
