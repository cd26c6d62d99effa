// Recordings of failures, kept under the digest of their requests, so that a token finds the one that it is of.
import { closeSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { EVENT_NUMBERS, type NativeRecording } from '../native/binding.js';
import { eventsOf, type RecordedEvent } from './recording.js';
import { MAGIC, type FileHeader } from './recording-file.js';

const TOKEN = /^rbl\d+\.([0-9a-f]{8})\.(\d+)\./;
/** Where the numbers of a row stand by which requests are the same: kind, device, position, length, durable. */
const SAME = 5;
const BEGIN_AT = 5;

/** The file of the recording that a token is of. */
export function keptFile(token: string, directory: string): string {
  return path.join(directory, `rumpblk-lab-${TOKEN.exec(token)?.[1] ?? 'none'}.rbl`);
}

/**
 * Finds the first request by which a recording is not the one of a token.
 *
 * @returns its number; undefined where the folder does not have the one of the token
 */
export function firstDifference(native: NativeRecording, token: string, directory: string): number | undefined {
  const [, , cut = '0'] = TOKEN.exec(token) ?? [];
  const rows = rowsOf(keptFile(token, directory));
  if (rows === undefined) return undefined;
  const events: Iterator<RecordedEvent, void> = eventsOf(native);
  for (let at = 0; ; at += 1) {
    const row = rows.subarray(at * EVENT_NUMBERS, (at + 1) * EVENT_NUMBERS);
    if (row.length === 0 || (row[BEGIN_AT] as number) >= Number(cut)) return undefined;
    const { value: event } = events.next();
    if (event === undefined) return at;
    const own = [event.number, event.device, event.position, event.length, event.durable];
    if (own.some((value, i) => i < SAME && value !== row[i])) return at;
  }
}

/** The events of a file; undefined of one that is not there, or is no recording. Small files, looked at when a token does not fit. */
function rowsOf(file: string): Float64Array | undefined {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return undefined;
  }
  try {
    const start = Buffer.alloc(MAGIC.length + 4);
    readSync(fd, start, 0, start.length, 0);
    if (!start.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
    const header = Buffer.alloc(Math.min(start.readUInt32LE(MAGIC.length), 2 ** 28));
    readSync(fd, header, 0, header.length, start.length);
    const { events } = JSON.parse(header.toString()) as FileHeader;
    const rows = new Float64Array(events * EVENT_NUMBERS);
    readSync(fd, new Uint8Array(rows.buffer), 0, rows.byteLength, start.length + header.length);
    return rows;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}
