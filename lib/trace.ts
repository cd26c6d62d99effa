// rumpblk/trace: everything that callers may use of it.
export { readLog, readLogFile, writeLogFile } from './trace/log-file.js';
export { LatencyHistogram } from './trace/histogram.js';
export { metrics } from './trace/metrics.js';
export { replay } from './trace/replay.js';
export { startTrace } from './trace/start-trace.js';

export type { ByteSource } from './trace/byte-reader.js';
export type { EncoderOptions, OpenLog, TraceFormat, WrittenLog } from './trace/log-file.js';
export type { MetricsSources } from './trace/metrics.js';
export type { ReplayOptions, ReplayReport } from './trace/replay.js';
export type { DeviceStats, OperationStats, StatsOptions } from './trace/stats.js';
export type { Trace, TraceOptions } from './trace/trace.js';
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
