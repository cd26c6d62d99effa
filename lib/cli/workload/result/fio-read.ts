// Reads what fio says of one thread (`--output-format=json+`) into an outcome of ours.
import { Latency } from './latency.js';
import type { Outcome, Side } from './outcome.js';

interface FioLatency {
  bins?: Record<string, number>;
  min: number;
  max: number;
  N: number;
}

interface FioSide {
  io_bytes: number;
  short_ios: number;
  runtime: number;
  total_ios: number;
  clat_ns: FioLatency;
  lat_ns: FioLatency;
}

/** An element of `jobs` in fio's report. */
export interface FioEntry extends Record<string, unknown> {
  jobname: string;
  error: number;
  read: FioSide;
  write: FioSide;
  sync: { lat_ns: FioLatency };
  usr_cpu: number;
  sys_cpu: number;
  ctx: number;
  majf: number;
  minf: number;
}

/** fio's bins as a histogram, with no value outside of fio's least and most, which are exact. */
function latencyOf({ bins = {}, min, max }: FioLatency): Latency {
  const latency = new Latency();
  for (const [nanoseconds, count] of Object.entries(bins)) {
    latency.record(Math.min(max, Math.max(min, Number(nanoseconds))), count);
  }
  return latency;
}

export function outcomeOfFio(entry: FioEntry): Outcome {
  const side = ({ io_bytes, short_ios, lat_ns }: FioSide): Side => ({ bytes: io_bytes, short: short_ios, latency: latencyOf(lat_ns) });
  const milliseconds = Math.max(entry.read.runtime, entry.write.runtime);
  return {
    milliseconds,
    read: side(entry.read),
    write: side(entry.write),
    sync: latencyOf(entry.sync.lat_ns),
    samples: { read: [], write: [] },
    usage: {
      userSeconds: (entry.usr_cpu / 100) * (milliseconds / 1000),
      systemSeconds: (entry.sys_cpu / 100) * (milliseconds / 1000),
      contextSwitches: entry.ctx,
      majorFaults: entry.majf,
      minorFaults: entry.minf,
    },
    error: entry.error,
  };
}
