// Phase 1: random requests through strategy in every access mode, each read compared with what must be there.
import type { BlockDevice, BlockDriver, BufResult } from '../../index.js';
import { table } from '../support/report.js';
import { useAndClose } from '../support/scope.js';
import { formatBytes, formatCount, formatTime } from '../support/units.js';
import type { BenchImage } from './image.js';
import type { Progress } from '../support/progress.js';
import { Random } from '../support/random.js';

const ACCESS_MODES = ['auto', 'mmap', 'pio'] as const;

/** The ways to an image: a medium has no map. */
export function accessesTo({ fd }: BenchImage): readonly VerifyRun['access'][] {
  return fd === undefined ? ['pio'] : ACCESS_MODES;
}

const BURST = 16; // requests in flight at once in the promise form
const MAX_SECTORS = 128; // 64 KiB
const DURABLE_ONE_IN = 8; // the other writes are deferred

export interface VerifyRun {
  minor: number;
  access: (typeof ACCESS_MODES)[number];
  reads: number;
  writes: number;
  bytesRead: number;
  bytesWritten: number;
  nanoseconds: number;
  mismatches: number;
}

interface Request {
  op: 'read' | 'write';
  blkno: number;
  data: Uint8Array;
  deferred: boolean;
}

/** One burst after the other, by turns through `strategySync` in order and through `strategy` all at once. */
export async function verifyMinors(
  driver: BlockDriver,
  image: BenchImage,
  minors: readonly number[],
  { bursts, seed }: { bursts: number; seed: number },
  progress: Progress,
): Promise<VerifyRun[]> {
  const random = new Random(seed ^ 0x7665_7269);
  const accesses = accessesTo(image);
  progress.start('random requests through strategy, verified', minors.length * accesses.length * bursts, 'steps');
  const runs: VerifyRun[] = [];
  for (const minor of minors) {
    const offset = driver.minors().find((info) => info.minor === minor)?.offset ?? 0;
    for (const access of accesses) {
      const device = await driver.open(minor, { mode: image.writable ? 'r+' : 'r', access });
      runs.push(await useAndClose(device, () => verifyDevice(device, image, { offset, bursts, random, access }, progress)));
    }
  }
  progress.stop();
  return runs;
}

async function verifyDevice(
  device: BlockDevice,
  image: BenchImage,
  plan: { offset: number; bursts: number; random: Random; access: VerifyRun['access'] },
  progress: Progress,
): Promise<VerifyRun> {
  const { access, offset } = plan;
  const run: VerifyRun = { minor: device.minor, access, reads: 0, writes: 0, bytesRead: 0, bytesWritten: 0, nanoseconds: 0, mismatches: 0 };
  const arena = Buffer.allocUnsafe(BURST * MAX_SECTORS * device.sectorSize);
  for (let burst = 0; burst < plan.bursts; burst += 1) {
    const requests = makeBurst(device, image.writable, arena, plan.random);
    const start = process.hrtime.bigint();
    const results =
      burst % 2 === 0
        ? requests.map((request) => device.strategySync(request))
        : await Promise.all(requests.map((request) => device.strategy(request)));
    run.nanoseconds += Number(process.hrtime.bigint() - start);
    requests.forEach((request, index) => settle(run, image, offset, request, results[index]));
    await progress.step();
  }
  if (image.writable) await device.flush();
  return run;
}

/** Requests that do not overlap: the device is cut into BURST stripes, and each gets one. */
function makeBurst(device: BlockDevice, writable: boolean, arena: Buffer, random: Random): Request[] {
  const stripe = Math.floor(device.size / device.sectorSize / BURST);
  return Array.from({ length: BURST }, (_, index) => {
    const sectors = 1 + random.below(Math.min(MAX_SECTORS, stripe));
    const start = index * MAX_SECTORS * device.sectorSize;
    const data = arena.subarray(start, start + sectors * device.sectorSize);
    const op = writable && random.below(2) === 1 ? 'write' : 'read';
    if (op === 'write') random.fill(data);
    else data.fill(0);
    const deferred = op === 'write' && random.below(DURABLE_ONE_IN) !== 0;
    return { op, blkno: index * stripe + random.below(stripe - sectors + 1), data, deferred };
  });
}

function settle(run: VerifyRun, image: BenchImage, offset: number, request: Request, result: BufResult | undefined): void {
  const position = offset + request.blkno * 512;
  const { byteLength } = request.data;
  if (request.op === 'write') {
    run.writes += 1;
    run.bytesWritten += byteLength;
    image.store(position, request.data);
    if (result?.resid !== 0) run.mismatches += 1;
    return;
  }
  run.reads += 1;
  run.bytesRead += byteLength;
  if (result?.resid !== 0 || !image.expected(position, byteLength).equals(request.data)) run.mismatches += 1;
}

export function renderVerify(runs: readonly VerifyRun[]): string {
  const rows = runs.map((run) => [
    run.access,
    String(run.minor),
    formatCount(run.reads),
    formatCount(run.writes),
    formatBytes(run.bytesRead + run.bytesWritten),
    formatTime(run.nanoseconds),
    run.mismatches === 0 ? 'all equal' : `${run.mismatches} DIFFER`,
  ]);
  return table(['access', '>minor', '>reads', '>writes', '>moved', '>time', 'content'], rows);
}
