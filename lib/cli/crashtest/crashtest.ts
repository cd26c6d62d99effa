// rumpblk crashtest: runs a command on the states that a power cut may have left of a recorded disk. Exit status as compare and cmp have it: 0 none
// failed, 1 some did, 2 anything that went wrong.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { InvalidArgumentError, Option, type Command } from '../bundled/commander.js';
import { BlockDriver } from '../../index.js';
import {
  CrashError,
  crashTest,
  loadRecording,
  recordWrites,
  type CheckOptions,
  type CrashReport,
  type CrashState,
  type Recorder,
} from '../../lab.js';
import { reportText, runOneState } from '../../lab/inspection.js';
import { serve } from '../../nbd.js';
import { openOverlay } from '../../overlay.js';
import { EXIT, Trouble, UsageError } from '../support/failure.js';
import { explain } from '../support/help.js';
import { formatOption } from '../support/image.js';
import { interruptedText } from '../support/interrupted.js';
import { addProgressOptions, createProgress, type ProgressOptions } from '../support/progress.js';
import { emit, emitJson } from '../support/report.js';
import { useAndClose } from '../support/scope.js';
import { endedBySignals } from '../support/signals.js';
import { parseSource, sourceOf } from '../support/source.js';
import { formatNumber, parseBytes, parsePath, parseUint32 } from '../support/units.js';
import type { ImageFormat } from '../../index.js';
import { Tally } from './tally.js';
import { refuseOther, writeCrashPage } from './page.js';

interface CrashtestOptions extends ProgressOptions {
  base?: string;
  run?: string;
  format?: ImageFormat;
  atomic?: number;
  tear: 'none' | 'atom' | 'shorn' | 'garbage';
  crash: 'power' | 'process';
  discard: 'zero' | 'any';
  collateral?: boolean;
  lostRun?: number;
  seed?: number;
  samples?: number;
  exhaustive?: number | true;
  strength?: 1 | 2 | 3;
  limit?: number;
  budget?: number;
  failures: number;
  shrink?: number;
  ok: readonly number[];
  token?: string;
  html?: string;
  json?: boolean;
}

/** Stands for the file of a state in COMMAND, `{1}` for that of the second disk. */
const PLACE = /\{(\d*)\}/g;
const STATUS_MAX = 255;
/** From here on a status says that the command could not run, or was ended by a signal. */
const NOT_RUN = 126;

const CRASHTEST_HELP = {
  notes: [
    'LOG is a recording that rumpblk/lab has saved, or a log of dm-log-writes, with --base for what the disk held before; the logs of rumpblk record have no data, and will not do. With --run LOG is an image: it is only read, its changes are served as an NBD export, and recorded while the command of --run works with the URL that {} stands for. COMMAND is run for each state; {} stands for a file with its content, {1} for that of the second disk. It accepts the state by its exit status 0, or by one of --ok.',
    'Exit status: 0 every state was accepted, 1 one was not, 2 a failure or a wrong command line.',
  ],
  examples: [
    {
      what: 'Have e2fsck look at what power cuts leave of a file system.',
      line: 'rumpblk crashtest fs.log --base fs.img --atomic 4k --ok 0,1,2 -- \\\n      e2fsck -fp {}',
    },
    {
      what: 'Record a program and test it in one go.',
      line: "rumpblk crashtest disk.img --run './work {}' -- ./check {}",
    },
  ],
};

/** Declares the command; `done` gets its exit status. */
export function addCrashtest(program: Command, done: (status: number) => void): void {
  const crashtest = program
    .command('crashtest')
    .description('Run a command on the states that a power cut may leave of a recorded disk.')
    .argument('<log>', 'recording or log of dm-log-writes; with --run an image', parseSource)
    .argument('<command...>', 'what looks at a state, behind --')
    .option('--base <image>', 'what the disk of the log held before (default: zeros)', parsePath)
    .option('--run <command>', 'record this command, a line of sh, on an overlay over the image')
    .addOption(formatOption('--format', 'the image'))
    .option('--atomic <bytes>', 'what the disk writes as one (default: what the log says, or 512)', parseBytes)
    .addOption(
      new Option('--tear <how>', 'what becomes of writes that were not durable')
        .choices(['none', 'atom', 'shorn', 'garbage'])
        .default('atom'),
    )
    .addOption(new Option('--crash <what>', 'what ends: the power, or the program').choices(['power', 'process']).default('power'))
    .addOption(new Option('--discard <as>', 'what was discarded reads as').choices(['zero', 'any']).default('zero'))
    .option('--collateral', 'also damage beside a write that was under way')
    .option('--lost-run <bytes>', 'lose blocks of so many bytes as often as units', parseBytes)
    .option('--seed <number>', 'begin the random choices here (default: random)', parseUint32)
    .option('--samples <count>', 'random states of a cut (default: 16)', parseUint32)
    .option('--exhaustive <count>', 'all states of a cut with at most so many; all: of every cut (default: 1024)', parseExhaustive)
    .addOption(new Option('--strength <count>', 'losses that are tried together (default: 2)').argParser(parseStrength))
    .option('--limit <count>', 'end after so many states', parseUint32)
    .option('--budget <seconds>', 'end after so many seconds', parseUint32)
    .option('--failures <count>', 'go on until so many states failed', parseUint32, 1)
    .option('--shrink <count>', 'runs that are spent on making a failure smaller (default: 500)', parseUint32)
    .addOption(new Option('--ok <statuses>', 'exit statuses that accept a state').argParser(parseStatuses).default([0], '0'))
    .option('--token <token>', 'run the command on this one state')
    .option('--html <file>', 'write a page of requests, cuts and failures', parsePath)
    .option('--json', 'print one JSON document on stdout');
  explain(addProgressOptions(crashtest), CRASHTEST_HELP).action(async (log: string, command: string[], options: CrashtestOptions) => {
    try {
      done(await crashtestCommand(log, command, options));
    } catch (error) {
      throw error instanceof Trouble ? error : new Trouble(error);
    }
  });
}

async function crashtestCommand(log: string, command: readonly string[], options: CrashtestOptions): Promise<number> {
  if (!command.some((word) => word.search(PLACE) >= 0)) throw new UsageError('COMMAND has no {}, which stands for the file of a state');
  if (options.run !== undefined && options.base !== undefined) throw new UsageError('--base and --run exclude each other');
  if (options.failures === 0) throw new UsageError('--failures 0: at least one');
  if (options.html !== undefined) refuseOther(options.html);
  const tally = new Tally();
  const progress = createProgress(options);
  let [trouble, states]: [unknown, number] = [undefined, 0];
  const check = async (state: CrashState): Promise<string | undefined> => {
    // What cannot be run says nothing about any state.
    if (trouble !== undefined) return undefined;
    try {
      const said = await tally.of(state, runOn(state, command, options.ok));
      progress.reach((states += 1));
      return said;
    } catch (error) {
      trouble = error;
      return undefined;
    }
  };
  const test = async (recorder: Recorder): Promise<number> => {
    progress.start('checking', options.limit, 'states');
    const report = await reportOf(recorder, check, options);
    progress.finish({ bytes: 0, text: `${formatNumber(states, 'state')} checked` });
    if (trouble !== undefined) throw new Trouble(trouble);
    if (options.html !== undefined) await writeCrashPage(options.html, { title: log, command, report, tally, recorder });
    if (options.json === true) await emitJson(jsonOf(report));
    else await emit(`${reportText(report)}\n`);
    return report.failures.length === 0 ? EXIT.ok : EXIT.failed;
  };
  const run = async (): Promise<number> =>
    options.run === undefined ? test(await loaded(log, options)) : recorded(log, options.run, options, test);
  try {
    return await endedBySignals(run, progress, () => interruptedText(progress));
  } finally {
    progress.stop();
  }
}

function loaded(log: string, { base, atomic }: CrashtestOptions): Promise<Recorder> {
  return loadRecording(log, { ...(base !== undefined && { base }), ...(atomic !== undefined && { atomicUnit: atomic }) });
}

async function reportOf(recorder: Recorder, check: (state: CrashState) => unknown, options: CrashtestOptions): Promise<CrashReport> {
  const wanted = checkOptions(options);
  if (options.token !== undefined) return runOneState(recorder, check, options.token, wanted);
  try {
    return await crashTest(recorder, check, wanted);
  } catch (error) {
    if (error instanceof CrashError) return error.report;
    throw error;
  }
}

function checkOptions(options: CrashtestOptions): CheckOptions {
  const { tear, crash, discard, collateral, lostRun, seed, samples, exhaustive, strength, limit, budget, failures, shrink } = options;
  return {
    tear,
    crash,
    discard,
    failures,
    ...(collateral !== undefined && { collateral }),
    ...(lostRun !== undefined && { run: lostRun }),
    ...(seed !== undefined && { seed }),
    ...(samples !== undefined && { samples }),
    ...(exhaustive !== undefined && { exhaustive }),
    ...(strength !== undefined && { strength }),
    ...(limit !== undefined && { limit }),
    ...(budget !== undefined && { budget: budget * 1e9 }),
    ...(shrink !== undefined && { shrink }),
  };
}

/** Records a command on an overlay over an image, which it reaches as an NBD export. */
async function recorded(
  image: string,
  line: string,
  options: CrashtestOptions,
  use: (recorder: Recorder) => Promise<number>,
): Promise<number> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rumpblk-crashtest-'));
  const driver = new BlockDriver();
  try {
    return await useAndClose(driver, async () => {
      const overlay = await openOverlay(sourceOf(image), {
        changes: 'memory',
        driver,
        ...(options.format !== undefined && { format: options.format }),
      });
      return useAndClose(overlay, async () => {
        using recorder = recordWrites(overlay, options.atomic === undefined ? {} : { atomicUnit: options.atomic });
        const socket = path.join(folder, 'socket');
        await using server = await serve({ socket, exports: { disk: { device: overlay, writable: true } } });
        const status = await statusOf('sh', ['-c', line.replaceAll('{}', String(server.url))], 'inherit');
        await server.close();
        recorder.stop();
        if (status !== 0) throw new UsageError(`the command of --run ended with status ${status}`);
        return await use(recorder);
      });
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs COMMAND on a state. -> what is wrong with it, if anything. */
async function runOn(state: CrashState, command: readonly string[], ok: readonly number[]): Promise<string | undefined> {
  const files = new Map<number, string>();
  for (const word of command) {
    for (const [, digits] of word.matchAll(PLACE)) {
      const device = Number(digits === '' ? 0 : digits);
      if (device >= state.devices.length) throw new Trouble(new UsageError(`{${device}}: the recording has ${state.devices.length} disks`));
      if (!files.has(device)) files.set(device, await state.toFile(undefined, device));
    }
  }
  const [program = '', ...args] = command.map((word) => word.replaceAll(PLACE, (_, digits: string) => files.get(Number(digits)) ?? ''));
  const output: Buffer[] = [];
  const status = await statusOf(program, args, 'pipe', output);
  if (ok.includes(status)) return undefined;
  const last = Buffer.concat(output).toString().trim().split('\n').slice(-4).join(' ').replaceAll(/\s+/g, ' ');
  return `status ${status}${last === '' ? '' : `: ${last}`}`;
}

/** Runs a program to its end. A program that cannot run is trouble, and says nothing about a state. */
function statusOf(program: string, args: readonly string[], stdout: 'inherit' | 'pipe', output: Buffer[] = []): Promise<number> {
  return new Promise((resolve, reject) => {
    // What --run prints is no part of the report.
    const out = stdout === 'inherit' ? 2 : 'pipe';
    const child = spawn(program, args, { stdio: ['ignore', out, stdout === 'inherit' ? 2 : 'pipe'] });
    child.stdout?.on('data', (data: Buffer) => output.push(data));
    child.stderr?.on('data', (data: Buffer) => output.push(data));
    child.on('error', (error) => reject(new Trouble(error)));
    child.on('close', (status, signal) => {
      if (status === NOT_RUN || status === NOT_RUN + 1)
        reject(new Trouble(new UsageError(`'${program}' could not be run: status ${status}`)));
      else resolve(status ?? 128 + (signal === null ? 0 : 1));
    });
  });
}

function jsonOf(report: CrashReport): object {
  const failures = report.failures.map(({ error, ...failure }) => ({ ...failure, error: error instanceof Error ? error.message : error }));
  return { ...report, failures };
}

function parseStatuses(text: string): number[] {
  const statuses = text.split(',').map((word) => (/^\d{1,3}$/.test(word) ? Number(word) : Number.NaN));
  if (!statuses.every((status) => status <= STATUS_MAX)) throw new InvalidArgumentError('Give exit statuses, as in 0,1,2.');
  return statuses;
}

function parseExhaustive(text: string): number | true {
  return text === 'all' ? true : parseUint32(text);
}

function parseStrength(text: string): number {
  if (!/^[123]$/.test(text)) throw new InvalidArgumentError('Give 1, 2 or 3.');
  return Number(text);
}
