// The keys of a job: their names and fio's other names for them, how a value is read, and what is left out on purpose.
import { PATTERNS, type JobWords } from './job.js';
import { BadValue, parseAmount, parseCount, parseSeconds, parseSize, parseSwitch } from './units.js';

/** Reads a value into the words of a job. */
type Take = (text: string, words: JobWords) => void;

const MAX_BS = 64 << 20;
const SHARE = parseCount(0, 100);
const INTERVAL = parseCount(0, 0xffff_ffff);

/** fio's engines that do reads and writes on a file. */
const FILE_ENGINES = new Set('sync psync vsync pvsync pvsync2 libaio io_uring posixaio mmap splice'.split(' '));

const TAKES: Readonly<Record<string, Take>> = {
  rw: (text, words) => {
    const rw = text === 'readwrite' ? 'rw' : PATTERNS.find((pattern) => pattern === text);
    if (rw === undefined) throw new BadValue(`give one of ${PATTERNS.join(', ')}, readwrite`);
    words.rw = rw;
  },
  bs: (text, words) => {
    const [read = Number.NaN, write = read, ...rest] = text.split(',').map((part) => parseSize(part));
    const fits = (bs: number): boolean => bs >= 1 && bs <= MAX_BS;
    if (rest.length > 0 || !fits(read) || !fits(write))
      throw new BadValue('give a size up to 64m, or one for reads and one for writes: 4k,64k');
    words.bs = { read, write };
  },
  iodepth: (text, words) => (words.iodepth = parseCount(1, 4096)(text)),
  numjobs: (text, words) => (words.numjobs = parseCount(1, 256)(text)),
  size: (text, words) => (words.size = parseAmount(text)),
  io_size: (text, words) => (words.ioSize = parseAmount(text)),
  offset: (text, words) => (words.offset = parseAmount(text)),
  runtime: (text, words) => (words.runtime = parseSeconds(text)),
  time_based: (text, words) => (words.timeBased = parseSwitch(text)),
  rwmixread: (text, words) => (words.rwmixread = SHARE(text)),
  rwmixwrite: (text, words) => (words.rwmixread = 100 - SHARE(text)),
  filename: (text, words) => (words.filename = oneFile(text)),
  directory: (text, words) => (words.directory = oneFile(text)),
  loops: (text, words) => (words.loops = parseCount(1, 1e9)(text)),
  randseed: (text, words) => (words.randseed = parseCount(0, 0xffff_ffff)(text)),
  norandommap: (text, words) => (words.norandommap = parseSwitch(text)),
  fsync: (text, words) => (words.fsync = INTERVAL(text)),
  fdatasync: (text, words) => (words.fdatasync = INTERVAL(text)),
  direct: (text, words) => (words.direct = parseSwitch(text)),
  buffered: (text, words) => (words.direct = !parseSwitch(text)),
  invalidate: (text, words) => (words.invalidate = parseSwitch(text)),
  stonewall: (text, words) => (words.stonewall = parseSwitch(text)),
  group_reporting: (text, words) => (words.groupReporting = parseSwitch(text)),
  ioengine: (text, words) => {
    if (!FILE_ENGINES.has(text)) throw new BadValue(`none of fio's engines on files: ${[...FILE_ENGINES].join(', ')}`);
    words.ioengine = text;
  },
};

/** A map: a key of a job file may be called `constructor`. */
const KEYS: ReadonlyMap<string, Take> = new Map(Object.entries(TAKES));

/** fio's second names. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['readwrite', 'rw'],
  ['blocksize', 'bs'],
  ['timeout', 'runtime'],
  ['io_limit', 'io_size'],
  ['wait_for_previous', 'stonewall'],
]);

/** Keys that change a report, a log or how fio itself works, and not what is read and written. */
const IGNORED = new Set(
  (
    'name description thread create_serialize create_fsync fallocate gtod_reduce gtod_cpu clocksource disable_lat disable_clat disable_slat ' +
    'disable_bw disable_bw_measurement clat_percentiles lat_percentiles slat_percentiles percentile_list write_bw_log write_lat_log ' +
    'write_iops_log write_hist_log log_avg_msec log_unix_epoch per_job_logs bwavgtime iopsavgtime new_group unified_rw_reporting ' +
    'file_service_type refill_buffers scramble_buffers unlink openfiles randrepeat allrandrepeat'
  ).split(' '),
);

/** What is said of keys that people miss most. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['verify', 'this bench measures, it does not verify what it reads'],
  ['thinktime', 'requests follow each other without a pause'],
  ['bssplit', 'give one bs, or one for reads and one for writes'],
  ['bsrange', 'give one bs, or one for reads and one for writes'],
]);

export type KeyOutcome = 'taken' | 'ignored';

/** Reads one key into `words`. Throws BadValue for a key that is not known and for a value that cannot be. */
export function takeKey(key: string, text: string, words: JobWords): KeyOutcome {
  if (IGNORED.has(key)) return 'ignored';
  const take = KEYS.get(canonical(key));
  if (take !== undefined) {
    if (text === '' && !isSwitch(key)) throw new BadValue('a value is missing');
    take(text, words);
    return 'taken';
  }
  throw new BadValue(REFUSED.get(key) ?? 'not a key of this bench; `rumpblk help bench` lists them');
}

/** The first of the names of a key. */
export function canonical(key: string): string {
  return ALIASES.get(key) ?? key;
}

const SWITCHES = new Set([
  'time_based',
  'norandommap',
  'direct',
  'buffered',
  'invalidate',
  'stonewall',
  'wait_for_previous',
  'group_reporting',
]);

function isSwitch(key: string): boolean {
  return SWITCHES.has(key);
}

/** fio separates files by colons; a colon that is part of a name has a backslash before it. */
function oneFile(text: string): string {
  if (/(^|[^\\]):/.test(text)) throw new BadValue('one file a job; a colon in its name is written \\:');
  return text.replaceAll('\\:', ':');
}
