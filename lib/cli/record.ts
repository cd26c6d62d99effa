// rumpblk record: what a client does to an image, as a log. The image is served to NBD clients meanwhile, so that the client may be any
// program: one that is started here, or one that comes by itself.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Option, type Command } from './bundled/commander.js';
import type { BlockDevice } from '../index.js';
import { serve } from '../nbd.js';
import type { EncoderOptions, Trace } from '../trace.js';
import { tellLeftOut, FORMATS } from './log.js';
import { EXIT, UsageError } from './support/failure.js';
import { explain } from './support/help.js';
import { addImageOptions, isSameFile, withImage, type ImageOptions } from './support/image.js';
import { note } from './support/report.js';
import { useAndClose } from './support/scope.js';
import { untilSignal } from './support/signals.js';
import { FILE_HELP, parseSource } from './support/source.js';
import { parsePath, parseUint32 } from './support/units.js';

interface RecordOptions extends ImageOptions {
  out: string;
  to: NonNullable<EncoderOptions['format']>;
  socket?: string;
  readOnly?: boolean;
  limit?: number;
}

const RECORD_HELP = {
  notes: [
    'COMMAND runs with the URI of the image in place of each {} and in RUMPBLK_NBD, and the log ends with it; without one the log ends with SIGTERM or SIGINT. The log has no data: what was written is on the image. Exit status: 1 also where COMMAND fails; its log is written all the same.',
  ],
  examples: [
    {
      what: 'Log what fio does.',
      line: 'rumpblk record disk.img --out work.jsonl -- \\\n      fio --name=w --ioengine=nbd --uri={} --rw=randwrite --size=1M',
    },
    { what: 'Log what a client does that comes by itself.', line: 'rumpblk record disk.img --out work.jsonl --socket /tmp/disk.sock' },
  ],
};

/** Declares the command; `done` gets its exit status. */
export function addRecord(program: Command, done: (status: number) => void): void {
  const formats = FORMATS.filter((format) => format !== 'dm-log-writes');
  const command = program
    .command('record')
    .description('Log what a client does to an image, which is served by NBD meanwhile.')
    .argument('<file>', FILE_HELP, parseSource)
    .argument('[command...]', 'what to run, behind --')
    .requiredOption('--out <log>', 'the log, which is replaced if it is there', parsePath)
    .addOption(new Option('--to <format>', 'its format').choices(formats).default('jsonl'))
    .option('--socket <path>', 'listen on this Unix socket (default: one of its own)', parsePath)
    .option('--read-only', 'do not let the client write')
    .option('--limit <count>', 'log so many requests at most (default: 4194304)', parseUint32);
  explain(addImageOptions(command), RECORD_HELP).action(async (file: string, run: string[] | undefined, options: RecordOptions) =>
    done(await recordCommand(file, run ?? [], options)),
  );
}

const USUAL_LIMIT = 2 ** 22;

async function recordCommand(file: string, run: readonly string[], options: RecordOptions): Promise<number> {
  if (isSameFile(file, options.out)) throw new UsageError(`the log is '${file}' itself`);
  const limit = options.limit ?? USUAL_LIMIT;
  if (limit === 0) throw new UsageError('--limit: give a number from 1 on');
  let status: number = EXIT.ok;
  await withImage(file, options, { mode: options.readOnly === true ? 'r' : 'r+' }, async (device) => {
    const trace = device.trace({ limit });
    try {
      status = await served(device, run, options);
    } finally {
      trace.stop();
      await save(trace, options);
    }
  });
  return status;
}

async function save(trace: Trace, { out, to }: RecordOptions): Promise<void> {
  const { events, leftOut } = await trace.save(out, { format: to });
  note(`${events} requests in '${out}'`);
  tellLeftOut(leftOut, to);
  if (trace.dropped > 0) note(`${trace.dropped} more were not logged: --limit`);
}

/** Serves the device until the command, or whoever sends a signal, has done. -> the exit status. */
async function served(device: BlockDevice, run: readonly string[], { socket, readOnly = false }: RecordOptions): Promise<number> {
  const signal = untilSignal();
  const folder = socket === undefined ? await mkdtemp(path.join(tmpdir(), 'rumpblk-record-')) : undefined;
  try {
    const place = socket ?? path.join(folder ?? '', 'nbd.sock');
    const server = await serve({ exports: { disk: { device, writable: !readOnly } }, socket: place });
    const uri = server.url?.href ?? '';
    return await useAndClose(server, async () => {
      server.on('error', ({ peer, error }) => note(`client ${peer}: ${error?.message}`));
      if (run.length > 0) return statusOf(run, uri, signal.came);
      note(`recording ${uri}`);
      await signal.came;
      return EXIT.ok;
    });
  } finally {
    signal.release();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

const NOT_FOUND = 'cannot be run: no such program is found';

/** Runs the command to its end; a signal is passed on to it. */
async function statusOf(run: readonly string[], uri: string, came: Promise<void>): Promise<number> {
  const [program = '', ...given] = run.map((word) => word.replaceAll('{}', uri));
  const child = spawn(program, given, { stdio: 'inherit', env: { ...process.env, RUMPBLK_NBD: uri } });
  void came.then(() => child.kill('SIGTERM'));
  const ended = await new Promise<string | undefined>((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? resolve(NOT_FOUND) : reject(error)));
    child.on('close', (code, by) => resolve(code === 0 ? undefined : by === null ? `status ${code}` : by));
  });
  if (ended === undefined) return EXIT.ok;
  note(ended === NOT_FOUND ? `'${program}' ${NOT_FOUND}` : `'${program}' ended with ${ended}`);
  return EXIT.failed;
}
