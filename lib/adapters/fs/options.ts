// Options of the streams, checked: ranges, chunk sizes, signals.
import type { Position } from '../../request/transfer.js';
import { outOfRange } from '../../errors.js';
import { abortSignal, bytes, flag, integer, requireObject } from '../../arguments/validate.js';
import { encodingOf } from './arguments.js';

/** What `fs.createReadStream` reads at a time. */
const DEFAULT_CHUNK = 64 * 1024;
const LARGEST_CHUNK = 2 ** 30;

/** Options of a stream that reads. */
export interface ReadStreamOptions {
  /** First byte; default: where the handle is, which then moves with the stream. */
  start?: Position;
  /** Last byte, itself included, as in `node:fs`; default: the end of the device. */
  end?: Position;
  /** Bytes that are read at a time, and that wait at most for a slow consumer; default 64 KiB. */
  highWaterMark?: number;
  /** Gives strings instead of Buffers; not of Web streams. */
  encoding?: BufferEncoding;
  /** Closes the handle when the stream ends or fails; default true. */
  autoClose?: boolean;
  /** Ends the stream early, and what it has in flight. */
  signal?: AbortSignal;
}

/** Options of a stream that writes. */
export interface WriteStreamOptions {
  /** First byte; default: where the handle is, which then moves with the stream. */
  start?: Position;
  /** Bytes that may wait before the stream asks its producer to pause; default 64 KiB. */
  highWaterMark?: number;
  /** How strings become bytes; default utf8; not of Web streams. */
  encoding?: BufferEncoding;
  /** Makes everything durable before the stream finishes; default false. */
  flush?: boolean;
  /** Closes the handle when the stream ends or fails; default true. */
  autoClose?: boolean;
  /** Ends the stream early, and what it has in flight. */
  signal?: AbortSignal;
}

/** Options that both kinds of streams have, checked. */
interface StreamSettings {
  readonly start: number | undefined;
  readonly chunk: number;
  readonly encoding: BufferEncoding | undefined;
  readonly autoClose: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Options of a stream that reads, checked. */
export interface ReadSettings extends StreamSettings {
  /** One beyond the last byte. */
  readonly stop: number;
}

/** Options of a stream that writes, checked. */
export interface WriteSettings extends StreamSettings {
  readonly flush: boolean;
}

function settingsOf(options: ReadStreamOptions | WriteStreamOptions, takesText: boolean, least: number): StreamSettings {
  const { start, highWaterMark = DEFAULT_CHUNK, encoding, autoClose, signal } = options;
  return {
    start: start === undefined ? undefined : bytes(start, 'options.start'),
    chunk: integer(highWaterMark, 'options.highWaterMark', least, LARGEST_CHUNK),
    encoding: encoding === undefined || !takesText ? undefined : encodingOf(encoding, 'options.encoding'),
    autoClose: flag(autoClose, 'options.autoClose', true),
    signal: abortSignal(signal, 'options.signal'),
  };
}

/** Accepts the options of a stream that reads. */
export function readStreamOptions(options: ReadStreamOptions = {}, takesText = true): ReadSettings {
  requireObject(options, 'options');
  const settings = settingsOf(options, takesText, 1);
  const { end } = options;
  const stop = end === undefined || end === Infinity ? Infinity : bytes(end, 'options.end') + 1;
  if (stop <= (settings.start ?? 0)) throw outOfRange('options.start', `<= "end" (here: ${stop - 1})`, settings.start);
  return { ...settings, stop };
}

/** Accepts the options of a stream that writes. */
export function writeStreamOptions(options: WriteStreamOptions = {}, takesText = true): WriteSettings {
  requireObject(options, 'options');
  return { ...settingsOf(options, takesText, 0), flush: flag(options.flush, 'options.flush', false) };
}
