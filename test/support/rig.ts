// The bench of one test file: a directory of its own, fresh drivers per test, everything closed and removed afterwards.
import { ftruncateSync, mkdtempSync, openSync as openFile, closeSync as closeFile, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach } from '@jest/globals';
import { BlockDriver, type BlockDevice, type DriverOptions, type OpenOptions, type RegisterOptions } from 'rumpblk';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;
export const TiB = 1024 * GiB;
export const ACCESSES = ['auto', 'mmap', 'pio'] as const;

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
  /** A fresh driver, closed after the test. */
  driver(options?: DriverOptions): BlockDriver;
  /** Closes a device after the test, before its driver. */
  keep<T extends Pick<BlockDevice, 'close'>>(device: T): T;
  /** Registers `file` with a fresh driver and opens it. */
  device(file: string, options?: OpenOptions & RegisterOptions, tunables?: DriverOptions): BlockDevice;
}

export function rig(): Rig {
  const directory = mkdtempSync(path.join(tmpdir(), 'rumpblk-test-'));
  const drivers: BlockDriver[] = [];
  const devices: Pick<BlockDevice, 'close'>[] = [];
  let images = 0;

  afterEach(async () => {
    for (const device of devices.splice(0).reverse()) await device.close();
    for (const driver of drivers.splice(0)) driver.close();
  });
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  const next = (): string => path.join(directory, `image-${(images += 1)}`);
  return {
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
    driver(options) {
      const driver = new BlockDriver(options);
      drivers.push(driver);
      return driver;
    },
    keep(device) {
      devices.push(device);
      return device;
    },
    device(file, { offset, size, ...open } = {}, tunables) {
      const driver = this.driver(tunables);
      const range = { ...(offset === undefined ? {} : { offset }), ...(size === undefined ? {} : { size }) };
      return this.keep(driver.openSync(driver.registerSync(file, range), open));
    },
  };
}
