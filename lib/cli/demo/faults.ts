// Phase 2: the same requests twice with the same fault seed; the same ones must fail.
import { BlockDeviceError, type BlockDevice, type BlockDriver } from '../../index.js';
import { table } from '../support/report.js';
import { useAndClose } from '../support/scope.js';
import type { BenchImage } from './image.js';
import type { Progress } from '../support/progress.js';

const REQUESTS = 200;
const RATE = 500; // of 10000: some ten failures, so that a run without one is a broken injector
const RUNS = 2;

export interface FaultReplay {
  seed: number;
  rate: number;
  requests: number;
  /** For each run the indices of the requests that failed. */
  failed: number[][];
  equal: boolean;
  bytesRead: number;
  bytesWritten: number;
}

export async function replayFaults(
  driver: BlockDriver,
  image: BenchImage,
  minor: number,
  seed: number,
  progress: Progress,
): Promise<FaultReplay> {
  const replay: FaultReplay = { seed, rate: RATE, requests: REQUESTS, failed: [], equal: false, bytesRead: 0, bytesWritten: 0 };
  progress.start('fault injection, twice', RUNS, 'steps');
  const device = await driver.open(minor, { mode: image.writable ? 'r+' : 'r' });
  await useAndClose(device, async () => {
    for (let run = 0; run < RUNS; run += 1) {
      driver.faults.set({ rate: RATE, seed });
      replay.failed.push(runOnce(device, image, replay));
      driver.faults.clear();
      await progress.step();
    }
  });
  progress.stop();
  const [first, second] = replay.failed;
  replay.equal = first !== undefined && second !== undefined && first.length > 0 && first.join() === second.join();
  return replay;
}

/** One request a sector from the start on: reads, and a write at every second one of an image that may be written. */
function runOnce(device: BlockDevice, image: BenchImage, replay: FaultReplay): number[] {
  const failed: number[] = [];
  const data = Buffer.alloc(device.sectorSize);
  for (let index = 0; index < REQUESTS; index += 1) {
    const op = image.writable && index % 2 === 1 ? 'write' : 'read';
    if (op === 'write') data.fill(index);
    try {
      device.strategySync({ op, blkno: index, data, deferred: true });
    } catch (error) {
      if (!(error instanceof BlockDeviceError && error.injected === true)) throw error;
      failed.push(index);
      continue;
    }
    if (op === 'write') {
      image.store(index * device.sectorSize, data);
      replay.bytesWritten += data.byteLength;
    } else {
      replay.bytesRead += data.byteLength;
    }
  }
  return failed;
}

export function renderFaults(replay: FaultReplay): string {
  const names = ['first run', 'second run'];
  const rows = replay.failed.map((indices, run) => [names[run] ?? '', indices.length === 0 ? 'none' : indices.join(' ')]);
  const verdict = replay.equal ? 'equal: the same requests failed' : 'NOT EQUAL';
  return `${table(['', 'failed with EIO, nothing moved'], rows)}\n  ${verdict}`;
}
