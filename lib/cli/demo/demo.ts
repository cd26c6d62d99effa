// rumpblk bench: the main job on real input. Makes an image, verifies, replays faults, counts, compares; what `npm start` shows.
import { BlockDriver, type Counters, type DiskLabel, type MinorInfo, type PartitionChoice } from '../../index.js';
import { compareWithFs, renderComparisons, type Comparison, type Effort } from './compare.js';
import { renderFaults, replayFaults, type FaultReplay } from './faults.js';
import { BenchImage, MAX_KNOWN } from './image.js';
import { machine, type Machine } from '../support/machine.js';
import { createProgress, type Progress } from '../support/progress.js';
import { onSignals } from '../support/signals.js';
import { renderVerify, verifyMinors, type VerifyRun } from './verify.js';
import { EXIT, UsageError } from '../support/failure.js';
import { renderCounters, renderLabel } from '../info.js';
import { emit, emitJson, note, section, table } from '../support/report.js';
import { useAndClose } from '../support/scope.js';
import { mediumKind } from '../support/source.js';
import { formatBytes, formatExact, formatTime } from '../support/units.js';

const MIN_SIZE = 1 << 20;

export interface BenchOptions {
  quick?: boolean;
  size: number;
  dir?: string;
  seed: number;
  partition?: PartitionChoice;
  json?: boolean;
}

/** What is wrong at the end, in words; empty when all is well. */
type Problems = string[];

/** The JSON document of `rumpblk bench`. */
interface Report {
  ok: boolean;
  problems: Problems;
  seconds: number;
  machine: Machine;
  image: { path: string; size: number; fileSystem: string; temporary: boolean };
  minors: MinorInfo[];
  label: DiskLabel;
  verify: VerifyRun[];
  faults: FaultReplay;
  counters: Counters;
  compare: Comparison[];
}

const FULL: Effort & { bursts: number } = { bursts: 150, rounds: 11, milliseconds: 35 };
const QUICK: Effort & { bursts: number } = { bursts: 10, rounds: 3, milliseconds: 4 };

export async function benchCommand(file: string | undefined, options: BenchOptions): Promise<number> {
  if (file === undefined && (options.size < MIN_SIZE || options.size > MAX_KNOWN || options.size % 512 !== 0)) {
    throw new UsageError('--size of the image is whole sectors from 1 MiB to 1 GiB');
  }
  if (file === undefined && options.partition !== undefined) throw new UsageError('--partition is of a disk: give FILE');
  const progress = createProgress({}, { delay: 0, plain: options.json !== true });
  let image: BenchImage | undefined;
  const release = onSignals(() => {
    progress.stop();
    image?.dispose();
  });
  try {
    image =
      file === undefined
        ? BenchImage.create(options.dir, options.size, options.seed)
        : BenchImage.existing(file, options.partition, options.seed);
    const report = await bench(image, options, progress);
    if (options.json === true) await emitJson(report);
    for (const problem of report.problems) note(`verification failed: ${problem}`);
    return report.ok ? EXIT.ok : EXIT.failed;
  } finally {
    progress.stop();
    image?.dispose();
    release();
  }
}

async function bench(image: BenchImage, options: BenchOptions, progress: Progress): Promise<Report> {
  const start = process.hrtime.bigint();
  const show = options.json === true ? (): Promise<void> => Promise.resolve() : (title: string, body: string) => emit(section(title, body));
  const effort = { ...(options.quick === true ? QUICK : FULL), seed: options.seed };
  const driver = new BlockDriver();
  return useAndClose(driver, async () => {
    const { size, used } = await registerMinors(driver, image);
    const { label, minors } = await describeMinors(driver);
    const where = { path: image.path, size, fileSystem: image.fileSystem, temporary: image.writable };
    await show('Image', renderImage(where, machine()));
    await show('Table of minors', renderMinors(minors));
    await show('Label of minor 0', renderLabel(label));

    const verify = await verifyMinors(driver, image, used, effort, progress);
    await show('Random requests through strategy, 512 bytes to 64 KiB', renderVerify(verify));
    const faults = await replayFaults(driver, image, 0, options.seed, progress);
    await show(`Faults: rate ${faults.rate} of 10000, seed ${faults.seed}, ${faults.requests} requests, twice`, renderFaults(faults));
    const counters = driver.counters();
    await show('Counters', renderCounters(counters));
    const compare = await compareWithFs(driver, image, 0, effort, progress);
    await show(
      `4 KiB at random positions${image.fd === undefined ? '' : ', and how many times as fast as node:fs'} (${effort.rounds} rounds)`,
      renderComparisons(compare, size),
    );

    const problems = findProblems(image, { verify, faults, counters, compare });
    const nanoseconds = Number(process.hrtime.bigint() - start);
    const verdict = problems.length === 0 ? 'everything verified' : 'VERIFICATION FAILED';
    await show('Result', `  ${verdict}, ${formatTime(nanoseconds)}`);
    const seconds = nanoseconds / 1e9;
    return {
      ok: problems.length === 0,
      problems,
      seconds,
      machine: machine(),
      image: where,
      minors,
      label,
      verify,
      faults,
      counters,
      compare,
    };
  });
}

/** The whole image, or the partition, as minor 0, its halves as 1 and 2. The verification uses the whole and the second half, which has an offset. */
async function registerMinors(driver: BlockDriver, image: BenchImage): Promise<{ size: number; used: number[] }> {
  const whole = await driver.register(image.source, image.range);
  const size = driver.minors().find((info) => info.minor === whole)?.size ?? 0;
  if (size < MIN_SIZE) throw new UsageError(`${image.isPart ? 'the partition of ' : ''}'${image.path}' is smaller than 1 MiB`);
  const half = Math.floor(size / 2 / IO_ALIGNMENT) * IO_ALIGNMENT;
  const { offset } = image.range;
  await driver.register(image.source, { offset, size: half });
  const second = await driver.register(image.source, { offset: offset + half, size: size - half });
  return { size, used: [whole, second] };
}

const IO_ALIGNMENT = 4096;

/** Opens minor 0 for its label, and for the table to show that it is open. */
async function describeMinors(driver: BlockDriver): Promise<Pick<Report, 'label' | 'minors'>> {
  const device = await driver.open(0);
  return useAndClose(device, () => Promise.resolve({ label: device.ioctl('DIOCGDINFO'), minors: driver.minors() }));
}

/** Compares what happened with what was asked for: contents, faults, and the counters to the byte. */
function findProblems(
  image: BenchImage,
  { verify, faults, counters, compare }: Pick<Report, 'verify' | 'faults' | 'counters' | 'compare'>,
): Problems {
  const problems: Problems = [];
  const sum = (pick: (run: VerifyRun) => number): number => verify.reduce((total, run) => total + pick(run), 0);
  const expectEqual = (what: string, got: number, wanted: number): void => {
    if (got !== wanted) problems.push(`${what} is ${got}, not ${wanted}`);
  };
  expectEqual(
    'the number of wrong transfers',
    sum((run) => run.mismatches),
    0,
  );
  expectEqual(
    'the number of wrong reads in the comparison',
    compare.reduce((total, row) => total + row.mismatches, 0),
    0,
  );
  expectEqual(
    `the number of wrong sectors in the whole image, read ${image.fd === undefined ? 'again' : 'by node:fs'}`,
    image.countWrongSectors(),
    0,
  );
  if (!faults.equal) problems.push('the two runs with faults are not equal');
  const injected = faults.failed.flat().length;
  expectEqual('counter faultsInjected', counters.faultsInjected, injected);
  expectEqual(
    'counter ioTotal',
    counters.ioTotal,
    sum((run) => run.reads + run.writes) + faults.failed.length * faults.requests - injected,
  );
  expectEqual('counter bytesRead', counters.bytesRead, sum((run) => run.bytesRead) + faults.bytesRead);
  expectEqual('counter bytesWritten', counters.bytesWritten, sum((run) => run.bytesWritten) + faults.bytesWritten);
  return problems;
}

function renderImage(image: Report['image'], host: Machine): string {
  const { path, size, fileSystem } = image;
  const use = mediumKind(path) === undefined ? (image.temporary ? ', a temporary file of noise' : ', only read') : '';
  return table(
    ['', ''],
    [
      ['file', `${path}${use}`],
      ['size', `${formatBytes(size)} ${mediumKind(path) === 'memory' ? 'in' : 'on'} ${fileSystem}`],
      ['machine', `Node ${host.node}, ${host.platform}, ${host.cpus} × ${host.cpu}`],
    ],
  );
}

function renderMinors(minors: readonly MinorInfo[]): string {
  const rows = minors.map((info) => [
    String(info.minor),
    info.source,
    formatExact(info.offset),
    formatExact(info.size),
    String(info.openCount),
  ]);
  return table(['>minor', 'source', '>offset', '>size', '>opens'], rows);
}
