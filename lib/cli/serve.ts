// rumpblk serve: images for NBD clients, until a signal comes or the one client goes.
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { InvalidArgumentError, Option, type Command } from './bundled/commander.js';
import { type BlockDriver, open, type BlockDevice, type DirtyBitmap } from '../index.js';
import { serve, type NbdExport, type NbdServer, type NbdServerOptions } from '../nbd.js';
import { openOverlay } from '../overlay.js';
import { goOnInBackground, sayReady } from './support/daemon.js';
import { EXIT, UsageError, withPath } from './support/failure.js';
import { explain } from './support/help.js';
import { addImageOptions, driverOf, openImage, type ImageOptions } from './support/image.js';
import { Meter } from './support/meter.js';
import { note } from './support/report.js';
import { together, useAndClose } from './support/scope.js';
import { untilSignal } from './support/signals.js';
import { parseSource, sourceOf } from './support/source.js';
import { parsePath } from './support/units.js';

/** An image, under the name that clients know it by. */
interface NamedImage {
  readonly name: string;
  readonly file: string;
}

interface ServeOptions extends ImageOptions {
  socket?: string;
  listen?: Pick<NbdServerOptions, 'host' | 'port'>;
  stdio?: boolean;
  writable?: boolean;
  overlay?: boolean;
  bitmap?: string[];
  default?: string;
  allowRemote?: boolean;
  maxConnections?: number;
  fork?: boolean;
  forked?: boolean;
  pidFile?: string;
}

/** The first descriptor that systemd hands over. */
const FIRST_FD = 3;
const MOST_PORT = 65535;

const SERVE_HELP = {
  notes: [
    'Clients: QEMU, nbdcopy, nbdinfo, fio, nbd-client. Images are only read unless --writable or --overlay is given. With neither --socket nor --listen nor --stdio it takes the socket of LISTEN_FDS. SIGTERM and SIGINT end it when what is under way is done, with exit status 0.',
  ],
  examples: [
    { what: 'Serve one partition of an image.', line: 'rumpblk serve disk.img --partition 2 --socket /tmp/root.sock' },
    { what: 'Let a virtual machine write, and forget it at the end.', line: 'rumpblk serve disk.img --overlay --listen 10809' },
  ],
};

/** Declares the command; `done` gets its exit status. */
export function addServe(program: Command, done: (status: number) => void): void {
  const named: NamedImage[] = [];
  const command = program
    .command('serve')
    .description('Serve images to NBD clients.')
    .argument('[images...]', 'images or device nodes, by the names of their files', (text: string, before: string[] | undefined) => [
      ...(before ?? []),
      parseSource(text),
    ])
    .option('--socket <path>', 'listen on a Unix socket, which is made', parsePath)
    .option('--listen <[host:]port>', 'listen on a TCP port, of 127.0.0.1 where no host is given', parseListen)
    .option('--stdio', 'serve the one client that standard input is a socket to')
    .option('--export <name=image>', 'serve an image by this name; again for more', (text) => void named.push(parseExport(text)))
    .option('--default <name>', 'the export of clients that name none (default: the only one)')
    .option('-w, --writable', 'let clients write')
    .option('--overlay', 'let clients write, and forget it at the end: the images are only read')
    .option('--bitmap <name>', 'tell clients of this bitmap, which each qcow2 image keeps; again for more', (text, before?: string[]) => [
      ...(before ?? []),
      text,
    ])
    .option('--allow-remote', 'allow --listen with a host that other machines reach')
    .option('--max-connections <count>', 'clients at a time (default: 64)', parseClients)
    .option('--fork', 'go on in the background once it listens')
    .addOption(new Option('--forked').hideHelp())
    .option('--pid-file <path>', 'write the process id here once it listens', parsePath);
  explain(addImageOptions(command), SERVE_HELP).action(async (images: string[] | undefined, options: ServeOptions) =>
    done(await serveCommand(images ?? [], named, options)),
  );
}

async function serveCommand(images: readonly string[], named: readonly NamedImage[], options: ServeOptions): Promise<number> {
  const wanted = namesOf(images, named);
  requireFitting(options);
  const place = placeOf(options);
  if (options.fork === true) return goOnInBackground('--fork');
  const driver = driverOf(process.env);
  await useAndClose(driver, async () => {
    const devices: BlockDevice[] = [];
    await useAndClose(together(devices), async () => {
      const exports: Record<string, NbdExport> = Object.create(null) as Record<string, NbdExport>;
      for (const { name, file } of wanted) {
        const device = await openExport(file, options, driver, devices);
        exports[name] = { device, writable: isWritable(options), bitmaps: keptBitmaps(device, file, options.bitmap ?? []) };
      }
      await run(exports, place, options);
    });
  });
  return EXIT.ok;
}

/** Refuses options that exclude each other, and those that would be ignored. */
function requireFitting({ socket, listen, stdio, overlay, partition, ...options }: ServeOptions): void {
  if (overlay === true) {
    if (options.bitmap !== undefined) throw new UsageError('--bitmap is of the image: not with --overlay');
    if (options.writable === true) throw new UsageError('--writable writes to the images, --overlay never does: give one of them');
    const ignored = [
      ['--offset', options.offset],
      ['--size', options.size],
      ['--sector-size', options.sectorSize],
      ['--no-lock', options.lock ? undefined : true],
      ['--access', partition === undefined && options.access !== 'auto' ? options.access : undefined],
    ].find(([, value]) => value !== undefined);
    if (ignored !== undefined) throw new UsageError(`--overlay is of all of the image: not with ${ignored[0]}`);
  }
  if (options.allowRemote === true && listen?.host === undefined) throw new UsageError('--allow-remote needs --listen with a host');
  if (options.maxConnections !== undefined && stdio === true) throw new UsageError('--stdio is one client: not with --max-connections');
  if (options.fork === true && socket === undefined && listen === undefined) throw new UsageError('--fork needs --socket or --listen');
}

/** Gives each image a name: the one it was given, or that of its file. */
function namesOf(images: readonly string[], named: readonly NamedImage[]): NamedImage[] {
  const all = [...images.map((file) => ({ name: path.basename(file), file })), ...named];
  if (all.length === 0) throw new UsageError('no image: give the name of a file, or --export NAME=IMAGE');
  const twice = all.find(({ name }, index) => all.findIndex((other) => other.name === name) !== index);
  if (twice !== undefined) throw new UsageError(`two exports have the name '${twice.name}': give others by --export NAME=IMAGE`);
  return all;
}

function placeOf(options: ServeOptions): Pick<NbdServerOptions, 'socket' | 'host' | 'port' | 'stdio' | 'fd'> {
  const { socket, listen, stdio } = options;
  const ways = [socket, listen, stdio].filter((way) => way !== undefined).length;
  if (ways > 1) throw new UsageError('--socket, --listen and --stdio exclude each other');
  if (socket !== undefined) return { socket };
  if (listen !== undefined) return listen;
  if (stdio === true) return { stdio };
  return { fd: activatedFd() };
}

/** The socket that systemd, or who does as it does, has made for this very process. */
function activatedFd(): number {
  const { LISTEN_FDS: count, LISTEN_PID: pid } = process.env;
  if (count === undefined || Number(pid) !== process.pid) {
    throw new UsageError('say where: --socket PATH, --listen [HOST:]PORT or --stdio; or by socket activation');
  }
  if (Number(count) !== 1) throw new UsageError(`socket activation with ${count} sockets: it takes one`);
  return FIRST_FD;
}

const isWritable = ({ writable = false, overlay = false }: ServeOptions): boolean => writable || overlay;

/** The bitmaps of an image that have these names; it has to have them already. */
function keptBitmaps(device: BlockDevice, file: string, names: readonly string[]): Record<string, DirtyBitmap> {
  const kept = names.length === 0 ? [] : device.bitmaps().map(({ name }) => name);
  const bitmaps: [string, DirtyBitmap][] = names.map((name) => {
    if (!kept.includes(name)) throw new UsageError(`'${file}' keeps no bitmap '${name}'`);
    return [name, device.track({ name })];
  });
  return Object.fromEntries(bitmaps);
}

/** Opens what is served; it and what lies below it go to `devices`, which are closed last first. */
async function openExport(file: string, options: ServeOptions, driver: BlockDriver, devices: BlockDevice[]): Promise<BlockDevice> {
  const add = (device: BlockDevice): BlockDevice => {
    devices.unshift(device);
    return device;
  };
  // An image keeps its bitmaps as long as it is open for writing.
  const mode = isWritable(options) || options.bitmap !== undefined ? 'r+' : 'r';
  if (options.overlay !== true) return add(await openImage(file, options, { mode }, driver));
  const { partition, format, access } = options;
  const overlay = await openOverlay(sourceOf(file), { driver, ...(format !== undefined && { format }) });
  add(overlay);
  if (partition === undefined) return overlay;
  return add(await open(overlay.medium, { partition, mode: 'r+', access, lock: false, driver }));
}

async function run(exports: Record<string, NbdExport>, place: NbdServerOptions | object, options: ServeOptions): Promise<void> {
  // Before the first client can be: one that comes at once is as good as a later one.
  const signal = untilSignal();
  try {
    await serveUntil(signal.came, exports, place, options);
  } finally {
    signal.release();
  }
}

async function serveUntil(
  came: Promise<void>,
  exports: Record<string, NbdExport>,
  place: NbdServerOptions | object,
  options: ServeOptions,
): Promise<void> {
  const { allowRemote, maxConnections, default: nameless, pidFile } = options;
  const server = await serve({
    exports,
    ...place,
    ...(nameless !== undefined && { default: nameless }),
    ...(allowRemote !== undefined && { allowRemote }),
    ...(maxConnections !== undefined && { maxConnections }),
  });
  await useAndClose(server, async () => {
    server.on('error', ({ peer, error }) => note(`client ${peer}: ${error?.message}`));
    if (pidFile !== undefined) await writePid(pidFile);
    try {
      await untilOver(server, came, options);
    } finally {
      if (pidFile !== undefined) await rm(pidFile, { force: true });
    }
  });
}

async function writePid(file: string): Promise<void> {
  try {
    await writeFile(file, `${process.pid}\n`);
  } catch (error) {
    throw withPath(error, file);
  }
}

async function untilOver(server: NbdServer, came: Promise<void>, { forked }: ServeOptions): Promise<void> {
  if (server.url !== undefined) note(`serving ${server.url.href}`);
  const meter = new Meter(server);
  try {
    if (forked === true) sayReady();
    await Promise.race([server.closed, came]);
    // What is under way is done, and answered.
    await server.close();
  } finally {
    meter.stop();
  }
}

/** NAME=IMAGE. */
function parseExport(text: string): NamedImage {
  const at = text.indexOf('=');
  if (at < 0) throw new InvalidArgumentError('Give the name and the image, as in disk=disk.img.');
  return { name: text.slice(0, at), file: parseSource(text.slice(at + 1)) };
}

/** [HOST:]PORT, where HOST may be an address in brackets. */
function parseListen(text: string): { host?: string; port: number } {
  const [, bracketed, plain, digits = ''] = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?([0-9]+)$/.exec(text) ?? [];
  const port = digits === '' ? Number.NaN : Number(digits);
  if (!(port <= MOST_PORT))
    throw new InvalidArgumentError('Give a port, or a host and a port, as in 10809, 127.0.0.1:10809 or [::1]:10809.');
  const host = bracketed ?? plain;
  return host === undefined ? { port } : { host, port };
}

/** How many clients may be there at a time. */
function parseClients(text: string): number {
  const count = /^[0-9]+$/.test(text) ? Number(text) : 0;
  if (!(count >= 1 && count <= 65536)) throw new InvalidArgumentError('Give a whole number from 1 to 65536.');
  return count;
}
