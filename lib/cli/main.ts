// The command line tool, which bin.ts loads. Declares the commands, runs one, turns its failure into a line on stderr and an exit status.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command, CommanderError, Option } from './bundled/commander.js';
import { addBench } from './bench.js';
import { addFaults } from './faults.js';
import { compareCommand, type CompareOptions } from './compare.js';
import { addCrashtest } from './crashtest/crashtest.js';
import { copyCommand, type CopyCommandOptions } from './copy.js';
import { EXIT, exitStatus, failureJson, failureLines } from './support/failure.js';
import { parseAdd, parseRemove, parseResize } from './support/changes.js';
import { accessOption, addImageOptions, formatOption, partitionOption } from './support/image.js';
import type { PartitionChange } from '../index.js';
import { labelCommand, type LabelOptions } from './label.js';
import { mapCommand, type MapOptions } from './map.js';
import { addOverlay } from './overlay.js';
import { partitionsCommand, type PartitionsOptions } from './partitions.js';
import { infoCommand, type InfoOptions } from './info.js';
import { discardCommand, type DiscardOptions, zeroCommand, type ZeroOptions } from './range.js';
import { addLog } from './log.js';
import { addRecord } from './record.js';
import { addReplay } from './replay.js';
import { addServe } from './serve.js';
import { readCommand, type ReadOptions } from './read.js';
import { emitJson, note, ReaderGone } from './support/report.js';
import { parseSource, SOURCES } from './support/source.js';
import { parseBytes, parsePath } from './support/units.js';
import { writeCommand, type WriteOptions } from './write.js';

const SIZES = `
Sizes and positions are bytes and may end in s (sectors of 512 bytes), k, M, G, T
or KiB, MiB, ... (powers of 1024), or kB, MB, ... (powers of 1000).

${SOURCES}

Exit status: 0 done, 1 an I/O or verification failure, 2 a wrong command line.`;

function version(): string {
  const text = readFileSync(path.join(__dirname, '../../package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** How commander begins a second line of an error; any other line end in one is the caller's. */
const DID_YOU_MEAN = '\n(Did you mean';

type Done = (status: number) => void;

function createProgram(done: Done): Command {
  const program = new Command('rumpblk')
    .description('Use a file or a device node as a block device.')
    .version(version())
    .exitOverride()
    .showHelpAfterError("Try 'rumpblk --help'.")
    .configureOutput({
      outputError: (text) =>
        note(
          text
            .replace(/^error: /, '')
            .trimEnd()
            .replaceAll(DID_YOU_MEAN, ' (Did you mean'),
        ),
    })
    .addHelpText('after', SIZES);
  addInfo(program, done);
  addRead(program, done);
  addWrite(program, done);
  addCopy(program, done);
  addCompare(program, done);
  addMap(program, done);
  addDiscard(program, done);
  addZero(program, done);
  addOverlay(program, done);
  addCrashtest(program, done);
  addServe(program, done);
  addFaults(program, done);
  addRecord(program, done);
  addReplay(program, done);
  addLog(program, done);
  addLabel(program, done);
  addPartitions(program, done);
  addBench(program, version(), done);
  return program;
}

function addFileCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .argument('<file>', 'image or device node, memory:SIZE, null:SIZE or an nbd: URL', parseSource);
}

/** The options that end the list of every command on FILE. */
function addSharedOptions(command: Command): Command {
  return addImageOptions(command).option('--json', 'print one JSON document on stdout');
}

function addInfo(program: Command, done: Done): void {
  const command = addFileCommand(program, 'info', 'Show geometry, label, windows and counters of a device.');
  addSharedOptions(command).action(async (file: string, options: InfoOptions) => done(await infoCommand(file, options)));
}

function addLabel(program: Command, done: Done): void {
  const command = addFileCommand(program, 'label', 'Show the BSD disklabel of a device, or write one.')
    .option('--default', 'take the default label, whatever the medium says')
    .option('--write <json>', 'write the label in this file, - for stdin: as --json prints it', parsePath)
    .option('--edit <json>', 'write the label with the fields in this file changed', parsePath)
    .addHelpText('after', '\nThe checksum is computed. In "partitions" of --edit, null leaves a partition alone.');
  addSharedOptions(command).action(async (file: string, options: LabelOptions) => done(await labelCommand(file, options)));
}

const PARTITIONS_HELP = `
Names of partitions are those that --partition takes: a, s1, s5, s1a, p2; or 1, 5, 2. Changes are made in their order, all or none.
Words of --add: type (0x83 or 131, a GUID, or a name: linux, swap, esp, ...), start, size (default rest: the largest free
range), label, uuid, attributes, bootable, index, and inside: the extended partition or the slice that gets it.`;

function addPartitions(program: Command, done: Done): void {
  // In the order of the command line, whichever option each comes from.
  const changes: PartitionChange[] = [];
  const change =
    (parse: (text: string) => PartitionChange) =>
    (text: string): void =>
      void changes.push(parse(text));
  const command = addFileCommand(program, 'partitions', 'Show how a device is divided: GPT, MBR, BSD disklabels; or divide it.')
    .option('--write <json>', 'divide it as this file says, - for stdin: as --json prints it', parsePath)
    .option('--overwrite', 'with --write: also over another scheme, a file system, or whatever else lies there')
    .option('--repair', 'write what was read, when it has problems: a GPT gets both headers again, a label its checksum')
    .option('--add <words>', 'add a partition: type=linux,size=64M,label=root; again for more', change(parseAdd))
    .option('--resize <name=size>', 'give a partition another size: p2=64M, p2=rest', change(parseResize))
    .option('--remove <name>', 'remove a partition', change(parseRemove))
    .option('--dry-run', 'show what --add, --resize and --remove would make of it, and write nothing')
    .option('--alignment <bytes>', 'what begins and ends of partitions are multiples of (default: 1M)', parseBytes)
    .option('--free', 'show what no partition has')
    .option('--probe', 'show what lies in the partitions: file systems, their labels and UUIDs')
    .addHelpText('after', PARTITIONS_HELP);
  addSharedOptions(command).action(async (file: string, options: PartitionsOptions) =>
    done(await partitionsCommand(file, options, changes)),
  );
}

function addRead(program: Command, done: Done): void {
  const command = addFileCommand(program, 'read', 'Copy bytes of a device to a file or to stdout.')
    .option('-p, --position <bytes>', 'where on the device to begin', parseBytes, 0)
    .option('-l, --length <bytes>', 'how much to read (default: to the end)', parseBytes)
    .option('-o, --output <file>', 'where to, - for stdout (default: stdout)', parseSource)
    .addHelpText('after', '\nA range that runs past the end of the device gives what there is, and a line on stderr.');
  addSharedOptions(command).action(async (file: string, options: ReadOptions) => done(await readCommand(file, options)));
}

function addWrite(program: Command, done: Done): void {
  const command = addFileCommand(program, 'write', 'Copy a file or stdin onto a device, and flush it.')
    .option('-p, --position <bytes>', 'where on the device to begin', parseBytes, 0)
    .option('-l, --length <bytes>', 'how much to write at most (default: all of the input)', parseBytes)
    .option('-i, --input <file>', 'where from, - for stdin (default: stdin)', parseSource)
    .option('--fua', 'make every piece durable before the next one is written')
    .option('--no-flush', 'end without making the data durable')
    .addHelpText('after', '\nInput that does not fit is ENOSPC, exit status 1; what fitted has been written.');
  addSharedOptions(command).action(async (file: string, options: WriteOptions) => done(await writeCommand(file, options)));
}

const COPY_HELP = `
What SRC says to be holes is not read, and reads as zeros from DST afterwards. A file DST that is there is replaced, unless
--target-position or --target-format is given; a file that the copy made is removed when it fails. -O qcow2 makes a new
file, and refuses one that is there. To and from pipes: rumpblk read, rumpblk write.`;

function addCopy(program: Command, done: Done): void {
  const command = program
    .command('copy')
    .alias('convert')
    .description('Copy an image or a disk, holes as holes, also from one format into another.')
    .argument('<src>', 'image or device node, memory:SIZE, null:SIZE or an nbd: URL', parseSource)
    .argument('<dst>', 'file that is made or replaced, or device node, memory:SIZE, null:SIZE or an nbd: URL', parseSource)
    .addOption(new Option('-O, --output-format <format>', 'make DST of this format (default: raw)').choices(['raw', 'qcow2']))
    .addOption(formatOption('--format', 'SRC'))
    .addOption(formatOption('--target-format', 'DST', ', and write it in place'))
    .option('--source-position <bytes>', 'where in SRC to begin', parseBytes)
    .option('--target-position <bytes>', 'where in DST to begin; a file is changed in place with it', parseBytes)
    .option('-l, --length <bytes>', 'how much to copy at most (default: to the end of SRC)', parseBytes)
    .addOption(partitionOption('--source-partition', 'SRC'))
    .addOption(partitionOption('--target-partition', 'DST'))
    .addOption(
      new Option('--sparse <how>', 'which zeros become holes: those of holes, those in data as well, or none')
        .choices(['extents', 'detect', 'off'])
        .default('extents'),
    )
    .addOption(
      new Option('--reflink <when>', 'share blocks of SRC, where a file system can').choices(['auto', 'always', 'never']).default('auto'),
    )
    .option('--target-is-zero', 'write no zeros: all that DST has is zeros already, which is believed')
    .option('--verify', 'read both again afterwards, and compare')
    .option('--no-flush', 'end without making it durable')
    .option('--no-lock', 'go on even when another process has SRC or DST locked')
    .option('--json', 'print one JSON document on stdout')
    .addHelpText('after', COPY_HELP);
  command.action(async (source: string, target: string, options: CopyCommandOptions) => done(await copyCommand(source, target, options)));
}

const COMPARE_HELP = `
What is a hole in both is not read. The shorter one goes on in zeros, unless --strict is given.

Exit status: 0 the same, 1 different, 2 a failure or a wrong command line.`;

function addCompare(program: Command, done: Done): void {
  const command = program
    .command('compare')
    .description('Tell whether two images or disks hold the same, and where they differ first.')
    .argument('<a>', 'image or device node, memory:SIZE, null:SIZE or an nbd: URL', parseSource)
    .argument('<b>', 'the other one', parseSource)
    .addOption(formatOption('--format', 'A'))
    .addOption(formatOption('--format-b', 'B'))
    .addOption(partitionOption('--partition', 'A'))
    .addOption(partitionOption('--partition-b', 'B'))
    .option('--strict', 'another size is a difference, also when the rest is zeros')
    .option('-q, --quiet', 'print nothing, the exit status says it')
    .addOption(accessOption())
    .option('--no-lock', 'go on even when another process has one of them locked')
    .option('--json', 'print one JSON document on stdout')
    .addHelpText('after', COMPARE_HELP);
  command.action(async (a: string, b: string, options: CompareOptions) => done(await compareCommand(a, b, options)));
}

function addMap(program: Command, done: Done): void {
  const command = addFileCommand(program, 'map', 'Show what of a device is data, and what is a hole.')
    .option('-p, --position <bytes>', 'where on the device to begin (default: 0)', parseBytes)
    .option('-l, --length <bytes>', 'how much of it (default: to the end)', parseBytes)
    .option('--detect-zeroes <bytes>', 'read the data, and show zeros in it, in steps of so much', parseBytes)
    .option('--bmap', 'print the XML of bmaptool: blocks that are data, with their checksums')
    .option('-o, --output <file>', 'where to, - for stdout (default: stdout)', parsePath)
    .addHelpText('after', '\nWhat the host does not tell is data. --json prints the keys of qemu-img map --output=json.');
  addSharedOptions(command).action(async (file: string, options: MapOptions) => done(await mapCommand(file, options)));
}

/** The options of the commands that work on a range and move no bytes. */
function addRangeCommand(program: Command, name: string, description: string): Command {
  return addFileCommand(program, name, description)
    .requiredOption('-p, --position <bytes>', 'where on the device to begin', parseBytes)
    .requiredOption('-l, --length <bytes>', 'how much of it', parseBytes)
    .option('--no-flush', 'end without making it durable');
}

function addDiscard(program: Command, done: Done): void {
  const command = addRangeCommand(program, 'discard', 'Give a range back to the host: it reads as before or as zeros.').addHelpText(
    'after',
    '\nParts of blocks at its ends stay as they are. A file system or a node that cannot does nothing, and a line on stderr says so.',
  );
  addSharedOptions(command).action(async (file: string, options: DiscardOptions) => done(await discardCommand(file, options)));
}

function addZero(program: Command, done: Done): void {
  const command = addRangeCommand(program, 'zero', 'Make a range read as zeros, by holes where the host can have them.')
    .option('--keep-room', 'keep, or take, the room of the range')
    .option('--fua', 'make it durable before the command goes on');
  addSharedOptions(command).action(async (file: string, options: ZeroOptions) => done(await zeroCommand(file, options)));
}

/** Runs one command line. With `--json` a failure is a document on stdout, too. */
async function run(args: readonly string[]): Promise<number> {
  let status: number = EXIT.ok;
  const program = createProgram((result) => (status = result));
  try {
    await program.parseAsync(args, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof ReaderGone) return EXIT.ok;
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok;
      if (args.includes('--json')) await emitJson({ error: { message: error.message.replace(/^error: /, '') } });
      return EXIT.usage;
    }
    for (const line of failureLines(error)) note(line);
    if (args.includes('--json')) await emitJson({ error: failureJson(error) });
    return exitStatus(error);
  }
}

/** The exit status of a command line. When stdout is gone, nobody is left to be told of a failure. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    return error instanceof ReaderGone ? EXIT.ok : EXIT.failed;
  }
}
