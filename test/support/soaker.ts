// One worker thread of the soak: a mixed load over its quarter of each image, every byte of which it knows. A sector holds its
// number and how often it was written. Pauses between bursts, so that hours of it leave the machine to others.
// compiled.ts makes one script of it, so it imports nothing of this folder.
import { closeSync, openSync, readSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import {
  BATCH_FLUSH,
  BATCH_READ,
  BATCH_WRITE,
  type Batch,
  type BlockDevice,
  BlockDriver,
  type DriverOptions,
  type OpenOptions,
} from 'rumpblk';

export interface Soaked {
  seed: number;
  seconds: number;
  /** Seconds between two reports. */
  every: number;
  images: { file: string; offset: number; size: number; open: OpenOptions; driver?: DriverOptions }[];
}
export interface SoakReport {
  bytes: number;
  requests: number;
  /** The 99th percentile of the event loop's delay since the last report, in ms. */
  delay: number;
  done?: boolean;
  why?: string;
}

const SECTOR = 512;
const DEPTH = 32;
const MOST = 64 * 1024;
const { seed, seconds, every, images } = workerData as Soaked;

let state = (seed * 0x9e3779b1) | 1;
function below(limit: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return Math.floor(((state >>> 0) / 2 ** 32) * limit);
}

/** An image as this thread knows it. */
class Image {
  readonly #spec: Soaked['images'][number];
  readonly #versions: Uint32Array;
  readonly #busy = new Set<number>();
  #device: BlockDevice;
  #batch: Batch;
  bytes = 0;
  requests = 0;

  constructor(spec: Soaked['images'][number]) {
    this.#spec = spec;
    this.#versions = new Uint32Array(spec.size / SECTOR);
    [this.#device, this.#batch] = this.#open();
  }

  #open(): [BlockDevice, Batch] {
    const { file, offset, size, open, driver } = this.#spec;
    const table = new BlockDriver(driver);
    const device = table.openSync(table.registerSync(file, { offset, size }), open);
    return [device, device.createBatch({ depth: DEPTH, arena: DEPTH * 4096 })];
  }

  fill(data: Uint8Array, position: number): void {
    const words = new Uint32Array(data.buffer, data.byteOffset, data.length / 4);
    for (let at = 0; at < words.length; at += SECTOR / 4) {
      const sector = position / SECTOR + (at * 4) / SECTOR;
      const stamp = (Math.imul(sector, 0x85ebca6b) ^ Math.imul(this.#versions[sector]!, 0xc2b2ae35)) >>> 0;
      for (let i = 0; i < SECTOR / 4; i += 1) words[at + i] = this.#versions[sector] === 0 ? 0 : stamp + i;
    }
  }

  check(data: Uint8Array, position: number, how: string): void {
    const wanted = new Uint8Array(data.length);
    this.fill(wanted, position);
    if (Buffer.compare(wanted, data) !== 0)
      throw new Error(`${how} of ${this.#spec.open.access}: wrong bytes at ${position}, ${data.length} long`);
  }

  /** Bytes that no request of this thread is using, or nothing; `free` gives them back. */
  #claim(most: number): { position: number; length: number; free: () => void } | undefined {
    const length = (1 + below(most / SECTOR)) * SECTOR;
    const position = below((this.#spec.size - length) / SECTOR) * SECTOR;
    const sectors = Array.from({ length: length / SECTOR }, (_, i) => position / SECTOR + i);
    if (sectors.some((sector) => this.#busy.has(sector))) return undefined;
    for (const sector of sectors) this.#busy.add(sector);
    this.bytes += length;
    this.requests += 1;
    return { position, length, free: () => sectors.forEach((sector) => this.#busy.delete(sector)) };
  }

  #next(position: number, length: number): Uint8Array {
    for (let at = position; at < position + length; at += SECTOR) this.#versions[at / SECTOR] = (this.#versions[at / SECTOR]! + 1) >>> 0;
    const data = new Uint8Array(length);
    this.fill(data, position);
    return data;
  }

  async request(): Promise<void> {
    const claimed = this.#claim(MOST);
    if (claimed === undefined) return;
    const { position, length, free } = claimed;
    const kind = below(10);
    if (kind < 5) {
      const data = new Uint8Array(length);
      if (kind === 0) this.#device.readSync(data, position);
      else await this.#device.read(data, position);
      this.check(data, position, 'read');
    } else {
      const data = this.#next(position, length);
      if (kind === 5) this.#device.writeSync(data, position);
      else await this.#device.write(data, position, below(200) === 0 ? { fua: true } : {});
    }
    free();
  }

  async batch(): Promise<void> {
    const batch = this.#batch;
    const claims = Array.from({ length: DEPTH }, () => this.#claim(4096)).filter((claim) => claim !== undefined);
    claims.forEach(({ position, length }, i) => {
      batch.op[i] = below(2) === 0 ? BATCH_READ : BATCH_WRITE;
      batch.blkno[i] = position / SECTOR;
      batch.bcount[i] = length;
      batch.offset[i] = i * 4096;
      if (batch.op[i] === BATCH_WRITE) batch.arena.set(this.#next(position, length), i * 4096);
    });
    if (below(50) === 0)
      batch.op[claims.length - 1] = claims.length > 0 && batch.op[claims.length - 1] === BATCH_READ ? BATCH_FLUSH : BATCH_WRITE;
    const done = below(2) === 0 ? batch.runSync(claims.length) : await batch.run(claims.length);
    if (done !== claims.length) throw new Error(`a batch did ${done} of ${claims.length}`);
    claims.forEach(({ position, length, free }, i) => {
      if (batch.op[i] === BATCH_READ) this.check(batch.arena.subarray(i * 4096, i * 4096 + length), position, 'batch');
      free();
    });
  }

  view(): void {
    const claimed = this.#device.access === 'pio' ? undefined : this.#claim(4096);
    if (claimed === undefined) return;
    const { position, length, free } = claimed;
    try {
      using view = this.#device.mapSync(position, length);
      this.check(view.bytes, position, 'view');
      if (this.#device.access === 'mmap') view.bytes.set(this.#next(position, length));
    } catch (error) {
      // Across windows, or the last one that is free.
      if (!['EINVAL', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    free();
  }

  flush(): Promise<void> {
    return this.#device.flush();
  }

  async reopen(): Promise<void> {
    await this.close();
    [this.#device, this.#batch] = this.#open();
  }

  async close(): Promise<void> {
    await this.#device.close();
    this.#device.driver.close();
  }

  /** Reads all of it past the package. */
  verify(): void {
    const { file, offset, size } = this.#spec;
    const data = new Uint8Array(size);
    const descriptor = openSync(file, 'r');
    readSync(descriptor, data, 0, size, offset);
    closeSync(descriptor);
    this.check(data, 0, 'file');
  }
}

async function burst(all: readonly Image[]): Promise<void> {
  const image = all[below(all.length)]!;
  const kind = below(100);
  if (kind < 70) await Promise.all(Array.from({ length: 1 + below(16) }, () => image.request()));
  else if (kind < 90) await image.batch();
  else if (kind < 98) image.view();
  else if (kind === 98) await image.flush();
  else await image.reopen();
}

async function main(): Promise<void> {
  const all = images.map((spec) => new Image(spec));
  const loop = monitorEventLoopDelay({ resolution: 2 });
  loop.enable();
  const tell = (more: Partial<SoakReport> = {}): void => {
    const sum = (of: (image: Image) => number): number => all.reduce((total, image) => total + of(image), 0);
    parentPort?.postMessage({
      bytes: sum((image) => image.bytes),
      requests: sum((image) => image.requests),
      delay: loop.percentile(99) / 1e6,
      ...more,
    });
    loop.reset();
  };
  const until = Date.now() + 1000 * seconds;
  for (let next = Date.now() + 1000 * every; Date.now() < until;) {
    await burst(all);
    await pause(2);
    if (Date.now() < next) continue;
    next += 1000 * every;
    (globalThis as { gc?: () => void }).gc?.();
    tell();
  }
  for (const image of all) await image.close();
  for (const image of all) image.verify();
  tell({ done: true });
}

main().catch((error: unknown) =>
  parentPort?.postMessage({ bytes: 0, requests: 0, delay: 0, done: false, why: String((error as Error).stack) }),
);
