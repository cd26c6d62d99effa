// rumpblk/trace: everything that callers may use of it.
export { readLog, readLogFile, writeLogFile } from './trace/log-file.js';

export type { ByteSource } from './trace/byte-reader.js';
export type { EncoderOptions, OpenLog, TraceFormat, WrittenLog } from './trace/log-file.js';
export type {
  TraceBase,
  TraceDevice,
  TraceEvent,
  TraceEvents,
  TraceHeader,
  TraceLog,
  TraceMark,
  TraceOp,
  TraceRequest,
} from './trace/event.js';
