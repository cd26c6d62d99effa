// rumpblk compare: whether two images hold the same bytes, and where they differ first. Exit status as cmp and qemu-img compare
// have it: 0 the same, 1 different, 2 it could not be told.
import type { Command } from './bundled/commander.js';
import { compareDevices, type Comparison } from '../copy/compare.js';
import type { ImageFormat } from '../index.js';
import { EXIT, Trouble } from './support/failure.js';
import type { Done } from './support/file-command.js';
import { explain } from './support/help.js';
import { accessOption, formatOption, partitionOption, withImage, type ImageOptions } from './support/image.js';
import { interruptedText } from './support/interrupted.js';
import { addProgressOptions, createProgress, type ProgressOptions } from './support/progress.js';
import { emit, emitJson, ReaderGone } from './support/report.js';
import { endedBySignals } from './support/signals.js';
import { FILE_HELP, parseSource } from './support/source.js';
import { formatExact } from './support/units.js';
import { printable } from '../arguments/printable.js';

interface CompareOptions extends Pick<ImageOptions, 'format' | 'partition' | 'access' | 'lock'>, ProgressOptions {
  formatB?: ImageFormat;
  partitionB?: string | number;
  strict?: boolean;
  json?: boolean;
}

const DIFFERS = 1;

/** The JSON document of `rumpblk compare`. */
interface Report extends Partial<Comparison> {
  a: string;
  b: string;
  same: boolean;
  /** Bytes of each. */
  sizes: readonly [number, number];
}

const COMPARE_HELP = {
  notes: [
    'What is a hole in both is not read. The shorter one goes on in zeros, unless --strict is given.',
    'Exit status: 0 the same, 1 different, 2 a failure or a wrong command line.',
  ],
  examples: [
    { what: 'Check a copy.', line: 'rumpblk compare disk.img /dev/sdb' },
    { what: 'Look into a qcow2 image.', line: 'rumpblk compare disk.qcow2 disk.img --format qcow2' },
  ],
};

/** Declares the command; `done` gets its exit status. */
export function addCompare(program: Command, done: Done): void {
  const command = program
    .command('compare')
    .description('Tell whether two images or disks hold the same, and where they differ first.')
    .argument('<a>', FILE_HELP, parseSource)
    .argument('<b>', 'the other one', parseSource)
    .addOption(formatOption('--format', 'A'))
    .addOption(formatOption('--format-b', 'B'))
    .addOption(partitionOption('--partition', 'A'))
    .addOption(partitionOption('--partition-b', 'B'))
    .option('--strict', 'another size is a difference, also when the rest is zeros')
    .addOption(accessOption())
    .option('--no-lock', 'go on even when another process has one of them locked')
    .option('--json', 'print one JSON document on stdout');
  addProgressOptions(command, 'print nothing, the exit status says it');
  explain(command, COMPARE_HELP).action(async (a: string, b: string, options: CompareOptions) => done(await compareCommand(a, b, options)));
}

async function compareCommand(a: string, b: string, options: CompareOptions): Promise<number> {
  let status: number | undefined;
  try {
    const report = await compare(a, b, options);
    status = report.same ? EXIT.ok : DIFFERS;
    if (options.json === true) await emitJson(report);
    else if (options.quiet !== true) await emit(`${render(report)}\n`);
    return status;
  } catch (error) {
    // Nobody reads the words any more; the status says the same.
    if (error instanceof ReaderGone && status !== undefined) return status;
    throw new Trouble(error);
  }
}

async function compare(a: string, b: string, options: CompareOptions): Promise<Report> {
  const { format, formatB, partition, partitionB, strict = false } = options;
  const common = { access: options.access, lock: options.lock };
  const sides = [
    { ...common, ...(format !== undefined && { format }), ...(partition !== undefined && { partition }) },
    { ...common, ...(formatB !== undefined && { format: formatB }), ...(partitionB !== undefined && { partition: partitionB }) },
  ] as const;
  const progress = createProgress(options);
  const run = (): Promise<Report> =>
    withImage(a, sides[0], { mode: 'r' }, (one) =>
      withImage(b, sides[1], { mode: 'r' }, async (other) => {
        const found = { a, b, sizes: [one.size, other.size] as const };
        if (strict && one.size !== other.size) return { ...found, same: false };
        progress.start('comparing', Math.max(one.size, other.size));
        const comparison = await compareDevices(one, other, { onProgress: (bytes) => progress.reach(bytes) });
        progress.finish({ bytes: progress.reached().done });
        return { ...found, same: comparison.difference === undefined, ...comparison };
      }),
    );
  try {
    return await endedBySignals(run, progress, () => interruptedText(progress));
  } finally {
    progress.stop();
  }
}

function render({ a, b, sizes, same, difference }: Report): string {
  const names = `'${printable(a)}' and '${printable(b)}'`;
  const [one, other] = sizes.map(formatExact);
  if (difference !== undefined) {
    const [left, right] = difference.bytes.map((byte) => (byte === undefined ? 'nothing' : `0x${byte.toString(16).padStart(2, '0')}`));
    return `${names} differ at ${difference.position}: ${left} and ${right}`;
  }
  if (!same) return `${names} differ in size: ${one} and ${other}`;
  return `${names} are the same${sizes[0] === sizes[1] ? '' : ` but for zeros at the end of the longer one: ${one} and ${other}`}`;
}
