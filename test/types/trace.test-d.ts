// Traces as callers write them, and what must not compile. Never run.
import type { BlockDevice, BlockDriver } from 'rumpblk';
import {
  LatencyHistogram,
  metrics,
  readLogFile,
  replay,
  startTrace,
  writeLogFile,
  type DeviceStats,
  type OpenLog,
  type ReplayReport,
  type Trace,
  type TraceEvent,
} from 'rumpblk/trace';
import type { Equal, Expect, Extends } from './expect.js';

export type Shapes = [
  Expect<Equal<ReturnType<typeof replay>, Promise<ReplayReport>>>,
  Expect<Equal<ReturnType<BlockDevice['stats']>, DeviceStats>>,
  Expect<Equal<ReturnType<BlockDevice['trace']>, Trace>>,
  Expect<Extends<Trace, AsyncIterable<TraceEvent>>>,
  Expect<Equal<ReturnType<typeof metrics>, string>>,
];

export async function accepted(device: BlockDevice, driver: BlockDriver): Promise<unknown> {
  const log: OpenLog = await readLogFile('requests.jsonl');
  const report = await replay(log.events, device, { timing: 'original', signal: AbortSignal.timeout(1000) });
  await replay('requests.jsonl', [device, device], { timing: 2 });
  const trace = startTrace([device], { limit: 100 });
  for await (const event of trace) if (event.op === 'read') return event.length;
  await trace.save('requests.log', { format: 'fio-iolog-3' });
  await writeLogFile('copy.log', log.header, log.events, { format: 'dm-log-writes', device: 0 });
  const histogram = new LatencyHistogram();
  histogram.record(100);
  return [metrics({ drivers: [driver], devices: [device] }), report.requests, histogram.percentile(99.99)];
}

export function refused(device: BlockDevice, log: OpenLog): unknown[] {
  return [
    // @ts-expect-error no such way of timing
    replay(log.events, device, { timing: 'slow' }),
    // @ts-expect-error a path is no device
    startTrace(['disk.img']),
    // @ts-expect-error no such format
    writeLogFile('copy.log', log.header, log.events, { format: 'pcap' }),
  ];
}
