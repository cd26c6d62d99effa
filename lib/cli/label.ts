// rumpblk label: the disklabel of a device, shown as disklabel(8) shows one, or written from JSON.
import type { Command } from './bundled/commander.js';
import { findDiskLabel, readPartitions, type BlockDevice, type DiskLabel, type PartitionEntry, type PartitionTable } from '../index.js';
import { EXIT, UsageError } from './support/failure.js';
import { addFileCommand, addSharedOptions, type Done } from './support/file-command.js';
import { explain } from './support/help.js';
import { withImage, type ImageOptions } from './support/image.js';
import { readJson } from './support/json.js';
import { tablesOf } from './partitions.js';
import { printable } from '../arguments/printable.js';
import { emit, emitJson, note } from './support/report.js';
import { parsePath } from './support/units.js';

interface LabelOptions extends ImageOptions {
  default?: boolean;
  write?: string;
  edit?: string;
  json?: boolean;
}

/** The JSON document of `rumpblk label`; `--write` takes it back. */
interface Document {
  file: string;
  /** Where the label comes from. */
  source: 'medium' | 'default';
  /** First byte of the label on the device, when it is the medium's. */
  position?: number;
  byteOrder?: 'little' | 'big';
  label: DiskLabel;
}

const LABEL_HELP = {
  notes: ['The checksum is computed. In "partitions" of --edit, null leaves a partition alone.'],
  examples: [
    { what: 'Show the disklabel of an image.', line: 'rumpblk label disk.img' },
    { what: 'Give the disk another name.', line: `echo '{ "packname": "spare" }' | rumpblk label disk.img --edit -` },
  ],
};

/** Declares the command; `done` gets its exit status. */
export function addLabel(program: Command, done: Done): void {
  const command = addFileCommand(program, 'label', 'Show the BSD disklabel of a device, or write one.')
    .option('--default', 'take the default label, whatever the medium says')
    .option('--write <json>', 'write the label in this file, - for stdin: as --json prints it', parsePath)
    .option('--edit <json>', 'write the label with the fields in this file changed', parsePath);
  explain(addSharedOptions(command), LABEL_HELP).action(async (file: string, options: LabelOptions) =>
    done(await labelCommand(file, options)),
  );
}

async function labelCommand(file: string, options: LabelOptions): Promise<number> {
  const { write, edit } = options;
  if (write !== undefined && edit !== undefined) throw new UsageError('--write and --edit exclude each other');
  const input = write ?? edit;
  const given = input === undefined ? undefined : labelOf(await readJson(input));
  const document = await withImage(file, options, { mode: given === undefined ? 'r' : 'r+' }, async (device) => {
    if (given !== undefined) device.ioctl('DIOCWDINFO', (edit === undefined ? given : merge(current(device, options), given)) as DiskLabel);
    return describe(device, options);
  });
  if (options.json === true) await emitJson(document.document);
  else await emit(render(document));
  return EXIT.ok;
}

/** The label in what was read: alone, or in the document that `--json` prints. */
function labelOf(given: unknown): object {
  const label = typeof given === 'object' && given !== null && 'label' in given ? given.label : given;
  if (typeof label !== 'object' || label === null || Array.isArray(label)) throw new UsageError('a label is a JSON object');
  return label;
}

function current(device: BlockDevice, options: LabelOptions): DiskLabel {
  return device.ioctl(options.default === true ? 'DIOCGDEFLABEL' : 'DIOCGDINFO');
}

/** The fields given, over those that are there; of `partitions` each entry by its place, where null leaves one alone. */
function merge(label: DiskLabel, given: Partial<Record<keyof DiskLabel, unknown>>): object {
  const { partitions: changes } = given;
  if (changes === undefined) return { ...label, ...given };
  if (!Array.isArray(changes)) throw new UsageError('partitions of a label are a JSON array');
  const unused = { offset: 0, size: 0, fstype: 0, fsize: 0, frag: 0, cpg: 0 };
  const count = Math.max(changes.length, label.partitions.length);
  const partitions = Array.from({ length: count }, (_, i) => ({ ...unused, ...label.partitions[i], ...(changes[i] as object | null) }));
  return { ...label, ...given, partitions };
}

interface Described {
  document: Document;
  /** Names of the types, by partition. */
  types: ReadonlyMap<number, string>;
}

async function describe(device: BlockDevice, options: LabelOptions): Promise<Described> {
  const found = options.default === true ? undefined : await findDiskLabel(device);
  const label = current(device, options);
  const table = await readPartitions(device);
  if (found === undefined && options.default !== true) note(`no valid label on the medium${whyNot(table)}: this is the default one`);
  const document: Document = { file: device.path, source: found === undefined ? 'default' : 'medium', label };
  if (found !== undefined) Object.assign(document, { position: found.position, byteOrder: found.byteOrder });
  return { document, types: typesAt(found?.position, table) };
}

/** What is wrong with a label that is there. */
function whyNot(table: PartitionTable | undefined): string {
  const label = table === undefined ? undefined : tablesOf(table).find(({ scheme }) => scheme === 'bsd');
  return label === undefined ? '' : ` (at byte ${label.position}: ${label.problems.join('; ')})`;
}

/** The names of the types of the label that begins at `position`. */
function typesAt(position: number | undefined, table: PartitionTable | undefined): Map<number, string> {
  if (table === undefined || position === undefined) return new Map();
  if (table.scheme === 'bsd' && table.position === position) {
    return new Map(table.partitions.map(({ index, typeName }: PartitionEntry) => [index, typeName]));
  }
  return new Map(table.partitions.flatMap((entry) => [...typesAt(position, entry.table)]));
}

function render({ document: { file, label }, types }: Described): string {
  const lines = [
    `# ${file}:`,
    `type: ${label.typename === '' ? label.type : label.typename}`,
    `disk: ${label.packname}`,
    `flags: 0x${label.flags.toString(16)}`,
    `bytes/sector: ${label.secsize}`,
    `sectors/track: ${label.nsectors}`,
    `tracks/cylinder: ${label.ntracks}`,
    `sectors/cylinder: ${label.secpercyl}`,
    `cylinders: ${label.ncylinders}`,
    `total sectors: ${label.secperunit}`,
    `rpm: ${label.rpm}`,
    `interleave: ${label.interleave}`,
    `trackskew: ${label.trackskew}`,
    `cylinderskew: ${label.cylskew}`,
    `headswitch: ${label.headswitch}           # microseconds`,
    `track-to-track seek: ${label.trkseek}  # microseconds`,
    `drivedata: ${label.drivedata.join(' ')}`,
    '',
    `${label.partitions.length} partitions:`,
    '#        size    offset     fstype [fsize bsize cpg/sgs]',
  ];
  for (const [index, partition] of label.partitions.entries()) {
    if (partition.size === 0) continue;
    const { size, offset, fstype, fsize, frag, cpg } = partition;
    const type = types.get(index) ?? (fstype === 0 ? 'unused' : String(fstype));
    const columns = [
      ` ${String.fromCharCode(0x61 + index)}:`,
      String(size).padStart(10),
      String(offset).padStart(10),
      type.padStart(11),
      String(fsize).padStart(7),
      String(fsize * frag).padStart(6),
      String(cpg).padStart(6),
    ];
    lines.push(columns.join(''));
  }
  return `${lines.map(printable).join('\n')}\n`;
}
