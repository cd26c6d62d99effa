// rumpblk replay: does the requests of a log again, on a device.
import { InvalidArgumentError, type Command } from './bundled/commander.js';
import { replay, type OperationStats, type ReplayOptions, type ReplayReport } from '../trace.js';
import { EXIT, withPath } from './support/failure.js';
import { addSharedOptions } from './support/file-command.js';
import { explain } from './support/help.js';
import { withImage, type ImageOptions } from './support/image.js';
import { interruptedText } from './support/interrupted.js';
import { addProgressOptions, createProgress, type ProgressOptions } from './support/progress.js';
import { emit, emitJson, section, table } from './support/report.js';
import { abortedBySignals } from './support/signals.js';
import { FILE_HELP, parseSource } from './support/source.js';
import { formatBytes, formatCount, formatTime, parsePath } from './support/units.js';

interface ReplayCommandOptions extends ImageOptions, ProgressOptions {
  timing: NonNullable<ReplayOptions['timing']>;
  readOnly?: boolean;
  json?: boolean;
}

const REPLAY_HELP = {
  notes: [
    'A request waits for all that had completed when it was made first. A log without data writes pseudo-random bytes, the same each time. All devices of the log are FILE. A request that fails is counted, and is no failure of the command.',
  ],
  examples: [
    { what: 'Do the writes of a log on a fresh disk, as fast as can be.', line: 'rumpblk replay work.jsonl disk.img' },
    { what: 'See what a disk makes of the load at its own pace.', line: 'rumpblk replay work.jsonl memory:1G --timing original' },
  ],
};

/** Declares the command; `done` gets its exit status. */
export function addReplay(program: Command, done: (status: number) => void): void {
  const command = program
    .command('replay')
    .description('Do the requests of a log again: of this package, of dm-log-writes or blklogwrites, or of fio.')
    .argument('<log>', 'the log', parsePath)
    .argument('<file>', FILE_HELP, parseSource)
    .option('--timing <when>', 'fast: as soon as can be; original: when the log says; 2: twice as fast as that', parseTiming, 'fast')
    .option('--read-only', 'open FILE so that nothing can be written: writes are counted as failed');
  explain(addProgressOptions(addSharedOptions(command)), REPLAY_HELP).action(
    async (log: string, file: string, options: ReplayCommandOptions) => done(await replayCommand(log, file, options)),
  );
}

async function replayCommand(log: string, file: string, options: ReplayCommandOptions): Promise<number> {
  const mode = options.readOnly === true ? 'r' : 'r+';
  const progress = createProgress(options);
  const report = await abortedBySignals(
    (signal) =>
      withImage(file, options, { mode }, async (device, driver) => {
        // What is on its way of a log tells nobody how much of it there is.
        progress.start('replaying', undefined, 'requests');
        progress.follow(() => driver.counters().ioTotal);
        try {
          return await replay(log, device, { timing: options.timing, signal });
        } catch (error) {
          throw withPath(error, log);
        } finally {
          progress.stop();
        }
      }),
    () => interruptedText(progress, file),
  );
  progress.finish({ bytes: report.bytesRead + report.bytesWritten, text: `${formatCount(report.requests)} requests` });
  if (options.json === true) await emitJson(withoutHistograms(report));
  else await emit(render(report));
  return EXIT.ok;
}

const numbers = ({ count, errors, bytes, min, max, mean, p50, p90, p99, p99_9, p99_99 }: OperationStats): object => ({
  ...{ count, errors, bytes, min, max, mean, p50, p90, p99, p99_9, p99_99 },
});

function withoutHistograms(report: ReplayReport): object {
  return { ...report, stats: Object.fromEntries(Object.entries(report.stats).map(([op, stats]) => [op, numbers(stats)])) };
}

function render({ requests, bytesRead, bytesWritten, errors, differing, invented, elapsed, drift, stats }: ReplayReport): string {
  const failed = Object.entries(errors).map(([code, count]) => `${code} ${count}`);
  const facts = [
    ['requests', formatCount(requests)],
    ['read, written', `${formatBytes(bytesRead)}, ${formatBytes(bytesWritten)}`],
    ['failed', failed.length === 0 ? 'none' : failed.join(', ')],
    ['other than in the log', formatCount(differing)],
    ['writes without data', formatCount(invented)],
    ['time', formatTime(elapsed)],
    ['later than the log says', `${formatTime(drift.mean)} on average, ${formatTime(drift.max)} at most`],
  ];
  const rows = Object.entries(stats)
    .filter(([, { count }]) => count > 0)
    .map(([op, { count, p50, p99, p99_9, max }]) => [op, formatCount(count), ...[p50, p99, p99_9, max].map(formatTime)]);
  const latencies = table(['', '>requests', '>p50', '>p99', '>p99.9', '>most'], rows);
  return section('Replay', table(['', ''], facts)) + section('Latency', latencies);
}

function parseTiming(text: string): NonNullable<ReplayOptions['timing']> {
  if (text === 'fast' || text === 'original') return text;
  const factor = /^[0-9]+(\.[0-9]+)?x?$/.test(text) ? Number.parseFloat(text) : 0;
  if (!(factor > 0)) throw new InvalidArgumentError('Give fast, original, or how many times as fast, as in 2 or 0.5.');
  return factor;
}
