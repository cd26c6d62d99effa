// rumpblk partitions: how a device is divided, shown as a tree, or written from JSON.
import {
  changePartitions,
  freeRanges,
  readPartitions,
  writePartitions,
  type BlockDevice,
  type ChangeOptions,
  type PartitionChange,
  type PartitionEntry,
  type PartitionTable,
  type TableToWrite,
} from '../index.js';
import type { Command } from './bundled/commander.js';
import { contentOfDevice } from '../device-content.js';
import { printable } from '../arguments/printable.js';
import { parseAdd, parseRemove, parseResize } from './support/changes.js';
import { EXIT, UsageError } from './support/failure.js';
import { addFileCommand, addSharedOptions, type Done } from './support/file-command.js';
import { explain } from './support/help.js';
import { withImage, type ImageOptions } from './support/image.js';
import { readJson } from './support/json.js';
import { imageAdvice } from './support/nature.js';
import { SCHEME_NAMES } from './support/schemes.js';
import { emit, emitJson, note, table as columns } from './support/report.js';
import { formatBytes, parseBytes, parsePath } from './support/units.js';

interface PartitionsOptions extends ImageOptions {
  write?: string;
  repair?: boolean;
  overwrite?: boolean;
  dryRun?: boolean;
  alignment?: number;
  free?: boolean;
  probe?: boolean;
  json?: boolean;
}

const PARTITIONS_HELP = {
  notes: [
    'Names of partitions are those that --partition takes: a, s1, s5, s1a, p2; or 1, 5, 2. Changes are made in their order, all or none.',
    'Words of --add: type (0x83 or 131, a GUID, or a name: linux, swap, esp, ...), start, size (default rest: the largest free range), label, uuid, attributes, bootable, index, and inside: the extended partition or the slice that gets it.',
  ],
  examples: [
    { what: 'Show partitions, and what lies in them.', line: 'rumpblk partitions disk.img --probe' },
    {
      what: 'Divide an empty disk: a GPT of one partition.',
      line: `echo '{ "scheme": "gpt", "partitions": [] }' |\n      rumpblk partitions disk.img --write - --overwrite`,
    },
    {
      what: 'Add partitions to it, the last one as large as can be.',
      line: 'rumpblk partitions disk.img --add type=esp,size=64M --add type=linux',
    },
  ],
};

/** Declares the command; `done` gets its exit status. */
export function addPartitions(program: Command, done: Done): void {
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
    .option('--probe', 'show what lies in the partitions: file systems, their labels and UUIDs');
  command.aliases(['list', 'ls']);
  explain(addSharedOptions(command), PARTITIONS_HELP).action(async (file: string, options: PartitionsOptions) =>
    done(await partitionsCommand(file, options, changes)),
  );
}

/** `changes` are those of --add, --resize and --remove, in the order of the command line. */
async function partitionsCommand(file: string, options: PartitionsOptions, changes: readonly PartitionChange[]): Promise<number> {
  const { write, repair = false, overwrite = false, dryRun = false, probe = false } = options;
  const ways = [write !== undefined, repair, changes.length > 0].filter(Boolean).length;
  if (ways > 1) throw new UsageError('--write, --repair and the changes of single partitions exclude each other');
  if (dryRun && probe) throw new UsageError('--probe looks at what is there, and --dry-run shows what is not');
  if (dryRun && changes.length === 0) throw new UsageError('--dry-run is for --add, --resize and --remove');
  if (options.alignment !== undefined && changes.length === 0 && options.free !== true) {
    throw new UsageError('--alignment is for --add, --resize and --free');
  }
  if (overwrite && write === undefined) throw new UsageError('--overwrite goes with --write');
  const given = write === undefined ? undefined : tableOf(await readJson(write));
  const mode = ways > 0 ? 'r+' : 'r';
  let advice: string | undefined;
  const table = await withImage(file, options, { mode }, async (device) => {
    if (given !== undefined) await writePartitions(device, given, { overwrite });
    if (repair) await repairTable(device);
    const changed = changes.length > 0 ? await changePartitions(device, changes, changeOptions(options)) : undefined;
    // What nobody has written cannot be looked into.
    const read = changed === undefined || (probe && !dryRun) ? await readPartitions(device, { probe }) : changed;
    if (read === undefined) advice = imageAdvice(await contentOfDevice(device));
    return read;
  });
  if (dryRun) note('nothing was written');
  const free = options.free === true && table !== undefined ? freeOf(table, options) : undefined;
  if (options.json === true) await emitJson({ file, table: table ?? null, ...(free !== undefined && { free }) });
  else
    await emit(
      table === undefined
        ? `${[`${printable(file)}: not divided`, ...(advice === undefined ? [] : [advice])].join(', ')}\n`
        : render(file, table) + (free === undefined ? '' : renderFree(free)),
    );
  return EXIT.ok;
}

function changeOptions({ alignment, dryRun }: PartitionsOptions): ChangeOptions {
  return { ...(alignment !== undefined && { alignment }), ...(dryRun !== undefined && { dryRun }) };
}

/** A range that no partition has, and the partition that it lies in, '' for the table of the device. */
interface Free {
  inside: string;
  start: number;
  size: number;
}

function freeOf(table: PartitionTable, options: PartitionsOptions, inside = ''): Free[] {
  const { alignment } = options;
  const own = freeRanges(table, alignment === undefined ? {} : { alignment });
  const nested = table.partitions.flatMap((entry) => (entry.table === undefined ? [] : freeOf(entry.table, options, entry.name)));
  return [...own.map((range) => ({ inside, ...range })), ...nested];
}

function renderFree(free: readonly Free[]): string {
  if (free.length === 0) return '  nothing is free\n';
  const rows = free.map(({ inside, start, size }) => [inside, String(start), String(size), formatBytes(size)]);
  return `\n${columns(['free in', '>first byte', '>bytes', '>size'], rows)}\n`;
}

/** Writes what was read: a GPT gets both its headers again, a label its checksum. */
async function repairTable(device: BlockDevice): Promise<void> {
  const table = await readPartitions(device);
  if (table === undefined) throw new UsageError(`'${device.path}' has no table to repair`);
  const readOnly = tablesOf(table).find(({ scheme }) => scheme === 'apm' || scheme === 'sun' || scheme === 'unknown');
  if (readOnly !== undefined) throw new UsageError(`tables of this scheme are only read: ${SCHEME_NAMES[readOnly.scheme]}`);
  const wrong = tablesOf(table).filter(({ problems }) => problems.length > 0);
  if (wrong.length === 0) return note('nothing to repair');
  if (wrong.some(({ scheme }) => scheme === 'mbr' || scheme === 'ebr')) {
    throw new UsageError('an MBR or a chain has no second copy to repair it from');
  }
  await writePartitions(device, table);
}

/** A table, and all that are in it. */
export function tablesOf(table: PartitionTable): PartitionTable[] {
  return [table, ...table.partitions.flatMap((entry) => (entry.table === undefined ? [] : tablesOf(entry.table)))];
}

/** The table in what was read: alone, or in the document that `--json` prints. What is wrong with it is for writePartitions to say. */
function tableOf(given: unknown): TableToWrite {
  const table = typeof given === 'object' && given !== null && 'table' in given ? given.table : given;
  return withBits(table) as TableToWrite;
}

/** Attributes, which JSON has as text, become the numbers they are. */
function withBits(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withBits);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]: [string, unknown]) => {
      if (key !== 'attributes') return [key, withBits(member)];
      const isText = typeof member === 'string' && /^(0x[0-9a-f]+|\d+)$/i.test(member);
      return [key, isText || typeof member === 'number' ? BigInt(member) : member];
    }),
  );
}

function render(file: string, top: PartitionTable): string {
  const id = top.id === undefined ? '' : `, ${top.id}`;
  const problems = tablesOf(top).flatMap((table) => table.problems.map((problem) => `  ! ${printable(problem)}\n`));
  return `${printable(file)}: ${SCHEME_NAMES[top.scheme]} at byte ${top.position}${id}\n${renderEntries(top)}\n${problems.join('')}`;
}

function renderEntries(top: PartitionTable): string {
  const size = top.sectorSize ?? 512;
  const entries = rowsOf(top, '');
  const probed = entries.some(([, { content }]) => content !== undefined);
  const rows = entries.map(([indent, entry]) => [
    `${indent}${entry.name}${entry.bootable === true ? '*' : ''}`,
    String(entry.start / size),
    String(entry.size / size),
    formatBytes(entry.size),
    typeof entry.type === 'number' ? `0x${entry.type.toString(16).padStart(2, '0')}` : entry.type,
    entry.typeName,
    printable(entry.label ?? ''),
    ...(probed ? contentOf(entry) : []),
  ]);
  if (rows.length === 0) return '  no partitions';
  return columns(
    ['partition', '>first sector', '>sectors', '>size', 'type', 'name of the type', 'label', ...(probed ? CONTENT : [])],
    rows,
  );
}

const CONTENT = ['content', 'label of it', 'UUID of it'] as const;

function contentOf({ content }: PartitionEntry): string[] {
  return [content?.type ?? '', printable(content?.label ?? ''), printable(content?.uuid ?? '')];
}

/** Every entry of a tree, each table under the entry that holds it. */
function rowsOf(table: PartitionTable, indent: string): [indent: string, entry: PartitionEntry][] {
  return table.partitions.flatMap((entry) => {
    const inside = entry.table === undefined ? [] : rowsOf(entry.table, `${indent}  `);
    return [[indent, entry] as [string, PartitionEntry], ...inside];
  });
}
