// rumpblk log: what is in a log of requests, and the same log in another format.
import { Option, type Command } from './bundled/commander.js';
import { readLogFile, writeLogFile, type EncoderOptions, type OpenLog, type TraceEvent, type TraceHeader } from '../trace.js';
import { EXIT, UsageError, withPath } from './support/failure.js';
import { explain } from './support/help.js';
import { isSameFile } from './support/image.js';
import { emit, emitJson, note, table } from './support/report.js';
import { formatTime, parsePath, parseUint32 } from './support/units.js';

interface ShowOptions {
  limit?: number;
  json?: boolean;
}

interface ConvertOptions {
  to: NonNullable<EncoderOptions['format']>;
  device?: number;
  file?: string[];
}

/** The formats that a log can be written in. */
export const FORMATS = ['jsonl', 'dm-log-writes', 'fio-iolog-2', 'fio-iolog-3', 'perfetto'] as const;

/** Rows that are put into columns, and printed, at a time. */
const AT_ONCE = 1024;
const COLUMNS = ['>n', '>time', 'device', 'op', '>position', '>length', '>took', 'result'];

const SHOW_HELP = {
  examples: [
    { what: 'Show the first requests of a log.', line: 'rumpblk log show work.jsonl --limit 20' },
    { what: 'Count them.', line: `rumpblk log show work.jsonl --json | jq '.events | length'` },
  ],
};

const CONVERT_HELP = {
  examples: [
    { what: 'Have fio repeat a log.', line: 'rumpblk log convert work.jsonl work.iolog --to fio-iolog-3' },
    { what: 'Look at it in Perfetto.', line: 'rumpblk log convert work.jsonl work.json --to perfetto' },
  ],
};

/** Declares the commands; `done` gets their exit status. */
export function addLog(program: Command, done: (status: number) => void): void {
  const log = program.command('log').description('Show a log of requests, or write it in another format.');
  const show = log
    .command('show')
    .description('Show what is in a log: of this package, of dm-log-writes or blklogwrites, or of fio.')
    .argument('<log>', 'the log', parsePath)
    .option('--limit <count>', 'show so many events (default: all)', parseUint32)
    .option('--json', 'print one JSON document on stdout, without data');
  explain(show, SHOW_HELP).action(async (file: string, options: ShowOptions) => done(await showCommand(file, options)));
  const convert = log
    .command('convert')
    .description('Write a log in another format. What that has no words for is left out, and told.')
    .argument('<log>', 'the log', parsePath)
    .argument('<output>', 'the new one, which is replaced if it is there', parsePath)
    .addOption(new Option('--to <format>', 'the format').choices(FORMATS).makeOptionMandatory())
    .option('--device <index>', 'of a log about several, the one that is written to dm-log-writes', parseUint32)
    .option('--file <name...>', 'what fio is to open, by device (default: the names in the log)');
  explain(convert, CONVERT_HELP).action(async (file: string, output: string, options: ConvertOptions) =>
    done(await convertCommand(file, output, options)),
  );
}

/** Opens a log; its errors name it. */
async function opened<T>(file: string, use: (log: OpenLog) => Promise<T>): Promise<T> {
  try {
    const log = await readLogFile(file);
    try {
      return await use(log);
    } finally {
      await log.close();
    }
  } catch (error) {
    throw withPath(error, file);
  }
}

async function showCommand(file: string, { limit = Infinity, json = false }: ShowOptions): Promise<number> {
  await opened(file, async (log) => {
    const events = limited(log.events, limit);
    if (json) return emitJson({ format: log.format, ...log.header, events: (await all(events)).map(withoutData) });
    let rows: string[][] = [];
    let isFirst = true;
    const print = async (): Promise<void> => {
      if (rows.length === 0 && !isFirst) return;
      await emit(`${table(isFirst ? COLUMNS : COLUMNS.map((title) => title.replace(/[^>]/g, '')), rows)}\n`);
      [rows, isFirst] = [[], false];
    };
    // What is whole of a damaged log is shown before it ends.
    try {
      for await (const event of events) {
        rows.push(rowOf(event, log.header));
        if (rows.length === AT_ONCE) await print();
      }
    } finally {
      await print();
    }
  });
  return EXIT.ok;
}

async function* limited(events: AsyncIterable<TraceEvent>, limit: number): AsyncGenerator<TraceEvent, void> {
  let count = 0;
  if (limit === 0) return;
  for await (const event of events) {
    yield event;
    if ((count += 1) >= limit) return;
  }
}

async function all(events: AsyncIterable<TraceEvent>): Promise<TraceEvent[]> {
  const list: TraceEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}

function withoutData(event: TraceEvent): object {
  if (event.op === 'mark') return event;
  const { data, ...rest } = event;
  return data === undefined ? rest : { ...rest, bytesOfData: data.length };
}

function rowOf(event: TraceEvent, { devices }: TraceHeader): string[] {
  if (event.op === 'mark') {
    const data = event.data === undefined ? '' : ` ${JSON.stringify(event.data)}`;
    return [String(event.n), timeOf(event.time), '', 'mark', '', '', '', `${event.name}${data}`];
  }
  const device = devices[event.device]?.name ?? '';
  if (event.op === 'base') return ['', '', device, 'base', String(event.position), String(event.data.length), '', ''];
  const { n, time, op, position, length, latency, fua } = event;
  const place = op === 'flush' ? ['', ''] : [String(position), String(length)];
  return [String(n), timeOf(time), device, fua === true ? `${op} fua` : op, ...place, timeOf(latency), resultOf(event)];
}

function timeOf(ns: number | undefined): string {
  return ns === undefined ? '' : formatTime(ns);
}

function resultOf(event: TraceEvent): string {
  if (event.op === 'mark' || event.op === 'base') return '';
  const { done, moved, length, error, injected } = event;
  if (done === undefined) return 'did not complete';
  const short = moved !== undefined && moved < length && error === undefined ? `${moved} bytes` : error;
  return [short, injected].filter((word) => word !== undefined).join(' ');
}

async function convertCommand(file: string, output: string, { to, device, file: files }: ConvertOptions): Promise<number> {
  if (isSameFile(file, output)) throw new UsageError(`the output is '${file}' itself`);
  await opened(file, async ({ format, header, events }) => {
    // What devices there are is known of a log of fio's when it is read.
    const source = format.startsWith('fio') ? await all(events) : events;
    const { leftOut } = await writeLogFile(output, header, source, {
      format: to,
      ...(device !== undefined && { device }),
      ...(files !== undefined && { files }),
    });
    tellLeftOut(leftOut, to);
  });
  return EXIT.ok;
}

/** Says on stderr what a format had no words for. */
export function tellLeftOut(leftOut: Readonly<Record<string, number>>, format: string): void {
  const kinds = Object.entries(leftOut).map(([kind, count]) => `${kind}: ${count}`);
  if (kinds.length > 0) note(`left out, as ${format} has no words for it: ${kinds.join(', ')}`);
}
