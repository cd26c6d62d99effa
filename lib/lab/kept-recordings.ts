// Recordings of failures, kept under the digest of their requests, so that a token finds the one that it is of.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { NativeRecording } from '../native/binding.js';
import { eventsOf, type RecordedEvent } from './recording.js';
import { UNSAFE } from './save.js';

const TOKEN = /^rbl\d+\.([0-9a-f]{8})\.(\d+)\./;
const SECTOR = 512;

/** The file of the recording that a token is of. */
export function keptFile(token: string, directory: string): string {
  return path.join(directory, `rumpblk-lab-${TOKEN.exec(token)?.[1] ?? 'none'}.jsonl`);
}

/** A line of such a file. */
interface Line {
  readonly base?: boolean;
  readonly mark?: string;
  readonly op?: string;
  readonly n?: number;
  readonly d?: number;
  readonly s?: number;
  readonly c?: number;
  readonly p?: number;
  readonly l?: number;
  readonly fua?: number;
  readonly x?: string;
}

/**
 * Finds the first request by which a recording is not the one of a token. Waits for the disk; it is asked when a token does not fit.
 *
 * @returns its number; undefined where the folder does not have the recording of the token
 */
export function firstDifference(native: NativeRecording, token: string, directory: string): number | undefined {
  const [, , cut = '0'] = TOKEN.exec(token) ?? [];
  const events: Iterator<RecordedEvent, void> = eventsOf(native);
  try {
    const [, ...lines] = readFileSync(keptFile(token, directory), 'utf8').trimEnd().split('\n');
    for (const text of lines) {
      const line = JSON.parse(text) as Line;
      if (line.base === true || line.n === 0) continue;
      if (line.n === undefined || line.n >= Number(cut)) return undefined;
      const { value: event } = events.next();
      if (event === undefined) return undefined;
      if (wordsOf(line) !== wordsIn(event)) return event.index;
    }
    return undefined;
  } catch {
    // It is not there, or no recording any more.
    return undefined;
  }
}

function wordsOf({ mark, op = 'mark', d = 0, s = 0, c = 0, p = s * SECTOR, l = c * SECTOR, fua, x }: Line): string {
  if (mark !== undefined) return 'mark';
  return [op, d, p, l, x === UNSAFE ? 2 : fua === 1 ? 1 : 0].join();
}

function wordsIn({ kind, device, position, length, durable }: RecordedEvent): string {
  if (kind === 'mark') return 'mark';
  const place = kind === 'flush' ? [0, 0] : [position, length];
  return [kind, device, ...place, durable].join();
}
