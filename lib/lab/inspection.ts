// What the command line shows of recordings and reports, beyond what callers have.
import { crashTokenTest } from './crash-test.js';
import type { Recorder } from './lab-types.js';
import type { Check } from './judge.js';
import { checkSettings, type CheckOptions } from './options.js';
import { recordingOf } from './recorder.js';
import { eventsOf, infoOf } from './recording.js';
import type { CrashReport, Mark } from './report.js';

export { errorText, reportText, unitText } from './report.js';

/** A request or a mark, where it stands in the order of events. */
export interface TimelineEvent {
  readonly index: number;
  readonly kind: 'write' | 'flush' | 'discard' | 'zeroes' | 'mark';
  readonly device: number;
  readonly position: number;
  readonly length: number;
  readonly isDurable: boolean;
  readonly hasFailed: boolean;
  /** Event numbers; end is 0 of what was never answered. */
  readonly begin: number;
  readonly end: number;
  readonly mark?: Mark;
}

/** A recording as a picture needs it. */
export interface Timeline {
  readonly disks: readonly { readonly name: string; readonly size: number }[];
  /** The cut behind all events. */
  readonly end: number;
  readonly events: readonly TimelineEvent[];
}

/** Lists what was recorded. */
export function timelineOf(recorder: Recorder): Timeline {
  const recording = recordingOf(recorder, 'recorder');
  const { disks, marks, inherited, native } = recording;
  const events: TimelineEvent[] = [];
  let next = inherited;
  for (const { index, kind, device, position, length, durable, begin, end, errno } of eventsOf(native)) {
    const mark = kind === 'mark' ? marks[next++] : undefined;
    const place = { index, kind, device, position, length, begin, end };
    events.push({ ...place, isDurable: durable === 1, hasFailed: errno !== 0, ...(mark !== undefined && { mark }) });
  }
  return { disks, end: infoOf(recording).end, events };
}

/** Runs the check on the one state of a token. */
export function runOneState(recorder: Recorder, check: Check, token: string, options: CheckOptions): Promise<CrashReport> {
  return crashTokenTest(recorder, check, token, checkSettings(options));
}
