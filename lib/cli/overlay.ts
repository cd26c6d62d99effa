// rumpblk overlay: overlays in qcow2 images: making one, what it has changed, writing that into its base, laying it over another one.
import { lstat } from 'node:fs/promises';
import type { Command } from './bundled/commander.js';
import type { ImageFormat } from '../index.js';
import { openOverlay, overlayInfo, type OverlayDevice, type OverlayInfo } from '../overlay.js';
import { EXIT, UsageError } from './support/failure.js';
import { explain } from './support/help.js';
import { formatOption } from './support/image.js';
import { interruptedText } from './support/interrupted.js';
import { addProgressOptions, createProgress, type Progress, type ProgressOptions } from './support/progress.js';
import { emit, emitJson, section, table } from './support/report.js';
import { useAndClose } from './support/scope.js';
import { endedBySignals } from './support/signals.js';
import { parseSource, sourceOf } from './support/source.js';
import { formatBytes, formatExact, parseBytes, parsePath } from './support/units.js';

interface Printed {
  json?: boolean;
}
interface CreateOptions extends Printed {
  base: string;
  format?: ImageFormat;
  size?: number;
  blockSize?: number;
}
interface DiffOptions extends Printed, ProgressOptions {
  exact?: boolean;
}
interface RebaseOptions extends Printed, ProgressOptions {
  base: string;
  format?: ImageFormat;
  unsafe?: boolean;
}

interface OverOptions {
  over?: string;
}

/** Of which each command has some. */
type AllOptions = CreateOptions & DiffOptions & RebaseOptions & OverOptions;

const NOTES = [
  'FILE is a qcow2 image over another file, as qemu-img create -b makes one too. It names that file: an absolute path as it is, any other from the folder of FILE. It may lie over an export of an NBD server as well, nbd://HOST:PORT/EXPORT or nbd+unix:///EXPORT?socket=PATH, which is reached only where --over says it too.',
];

/** Of each command, two. */
const EXAMPLES = {
  create: [
    { what: 'Keep changes to an image in a file of their own.', line: 'rumpblk overlay create changes.qcow2 -b disk.img' },
    { what: 'Make the disk larger on the way.', line: 'rumpblk overlay create changes.qcow2 -b disk.img --size 2G' },
  ],
  info: [
    { what: 'Show what an overlay lies over.', line: 'rumpblk overlay info changes.qcow2' },
    { what: 'Get the name of its base alone.', line: 'rumpblk overlay info changes.qcow2 --json | jq -r .base' },
  ],
  diff: [
    { what: 'List what was written.', line: 'rumpblk overlay diff changes.qcow2' },
    { what: 'List what differs from the base.', line: 'rumpblk overlay diff changes.qcow2 --exact' },
  ],
  commit: [
    { what: 'Write the changes into the base.', line: 'rumpblk overlay commit changes.qcow2' },
    { what: 'See how far that has come, in a log as well.', line: 'rumpblk overlay commit changes.qcow2 --progress' },
  ],
  rebase: [
    { what: 'Lay it over another image, and keep how it reads.', line: 'rumpblk overlay rebase changes.qcow2 -b new.img' },
    { what: 'The base has moved: change the name alone.', line: 'rumpblk overlay rebase changes.qcow2 -b /srv/disk.img --unsafe' },
  ],
} as const;

/** Declares the command and what it does. */
export function addOverlay(program: Command, done: (status: number) => void): void {
  const overlay = program.command('overlay').description('Keep changes to an image in another file, and write them back.');
  const add = (name: string, description: string): Command =>
    overlay.command(name).description(description).argument('<file>', 'the qcow2 image that has the changes', parsePath);
  const isLong = (command: Command): command is Command => ['diff', 'commit', 'rebase'].includes(command.name());
  const finish = (command: Command, run: (file: string, options: AllOptions) => Promise<number>): Command =>
    explain(isLong(command) ? addProgressOptions(command) : command, {
      notes: NOTES,
      examples: EXAMPLES[command.name() as keyof typeof EXAMPLES],
    })
      .option('--json', 'print one JSON document on stdout')
      .action(async (file: string, options: AllOptions) => done(await run(file, options)));
  const create = add('create', 'Make an overlay: a new file, in which nothing is changed.')
    .requiredOption('-b, --base <path>', 'what it lies over', parseSource)
    .addOption(formatOption('--format', 'BASE'))
    .option('--size <bytes>', 'size of the disk (default: that of BASE)', parseBytes)
    .option('--block-size <bytes>', 'what is allocated by itself, 512 to 64k (default: 4k)', parseBytes);
  finish(create, createCommand);
  finish(add('info', 'Show what it lies over, and its sizes.'), infoCommand);
  const over = (command: Command): Command => command.option('--over <url>', 'the export that it lies over', parseSource);
  finish(over(add('diff', 'Show what is changed.').option('--exact', 'compare with the base: only what differs')), diffCommand);
  finish(over(add('commit', 'Write the changes into the base; the overlay is empty then.')), commitCommand);
  const rebase = over(add('rebase', 'Lay it over another file: it reads as before, and keeps what that has otherwise.'))
    .requiredOption('-b, --base <path>', 'what it is to lie over', parseSource)
    .addOption(formatOption('--format', 'BASE'))
    .option('-u, --unsafe', 'change the name alone: what was not changed is what the new base has');
  finish(rebase, rebaseCommand);
}

async function createCommand(file: string, options: CreateOptions): Promise<number> {
  const { base, format, size, blockSize } = options;
  await requireNone(file);
  const device = await openOverlay(sourceOf(base), {
    changes: file,
    ...(format !== undefined && { format }),
    ...(size !== undefined && { size }),
    ...(blockSize !== undefined && { blockSize }),
  });
  await device.close();
  return infoCommand(file, options);
}

async function infoCommand(file: string, options: Printed): Promise<number> {
  const info = await overlayInfo(file);
  await (options.json === true ? emitJson({ file, ...info }) : emit(render(file, info)));
  return EXIT.ok;
}

async function diffCommand(file: string, options: DiffOptions & OverOptions): Promise<number> {
  const { exact = false, json = false, over } = options;
  const rows = await withProgress(options, 'comparing', (progress) =>
    withOverlay(file, over, async (device) => {
      const found: { position: number; length: number; type: string }[] = [];
      progress.start(exact ? 'comparing' : 'listing', device.size);
      for await (const { position, length, type } of device.diff({ exact })) {
        found.push({ position, length, type });
        progress.reach(position + length);
      }
      progress.finish({ bytes: device.size });
      return found;
    }),
  );
  const lines = rows.map(({ position, length, type }) => [formatExact(position), formatExact(length), type]);
  await (json ? emitJson(rows) : emit(`${table(['>position', '>bytes', 'type'], lines)}\n`));
  return EXIT.ok;
}

async function commitCommand(file: string, options: Printed & ProgressOptions & OverOptions): Promise<number> {
  const { json = false, over } = options;
  const { bytes } = await withProgress(options, 'committing', (progress) =>
    withOverlay(file, over, async (device) => {
      const written = await device.commit();
      progress.finish(written);
      return written;
    }),
  );
  const told = bytes === 0 ? 'nothing is changed: the base is as it was' : `${formatBytes(bytes)} written into the base`;
  await (json ? emitJson({ file, bytes }) : emit(`${told}\n`));
  return EXIT.ok;
}

async function rebaseCommand(file: string, options: RebaseOptions & OverOptions): Promise<number> {
  const { base, format = 'raw', unsafe = false, over } = options;
  await withProgress(options, 'rebasing', (progress) =>
    withOverlay(file, over, async (device) => {
      await device.rebase(sourceOf(base), unsafe ? 'unsafe' : 'safe', { format });
      progress.finish({ bytes: device.size, text: 'rebased' });
    }),
  );
  return infoCommand(file, options);
}

/** Shows how long the work takes: how much of it there is, nobody knows. */
async function withProgress<T>(options: ProgressOptions, phase: string, use: (progress: Progress) => Promise<T>): Promise<T> {
  const progress = createProgress(options);
  progress.start(phase, undefined, 'steps');
  try {
    return await endedBySignals(
      () => use(progress),
      progress,
      () => interruptedText(progress),
    );
  } finally {
    progress.stop();
  }
}

/** Opens the overlay over the base that it names itself; over an export only where the user names it too. */
async function withOverlay<T>(file: string, over: string | undefined, use: (device: OverlayDevice) => Promise<T>): Promise<T> {
  const { base, backing, format } = await overlayInfo(file);
  if (backing === undefined) throw new UsageError(`'${file}' is an image without a base, and no overlay`);
  if (base === undefined || format === undefined)
    throw new UsageError(`'${file}': its base '${backing}' is neither a path nor a URL, or of a format that is not known here`);
  if (base instanceof URL && over === undefined)
    throw new UsageError(`'${file}' lies over '${backing}': no image reaches a server by itself, give it with --over too`);
  const device = await openOverlay(over === undefined ? base : sourceOf(over), { changes: file, format });
  return useAndClose(device, () => use(device));
}

/** Throws where there is such a file: it would be opened, not made. */
async function requireNone(file: string): Promise<void> {
  try {
    await lstat(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  throw new UsageError(`'${file}' is there already`);
}

function render(file: string, { size, blockSize, clusterSize, backing, base, format }: OverlayInfo): string {
  const named = backing === String(base) ? [] : [['named', backing ?? '-']];
  return section(
    'Overlay',
    table(
      ['', ''],
      [
        ['file', file],
        ['size', `${formatBytes(size)} (${size} bytes)`],
        ['base', base === undefined ? (backing ?? 'none') : `${String(base)}, ${format ?? 'of a format that is not known here'}`],
        ...named,
        ['blocks', `${formatExact(blockSize)}, clusters of ${formatExact(clusterSize)}`],
      ],
    ),
  )
    .trimEnd()
    .concat('\n');
}
