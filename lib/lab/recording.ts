// What a recorder and its crash states share: the native recording, and what of it only JavaScript knows.
import { BlockDriver } from '../driver.js';
import { fromFailure, isFailure } from '../errors.js';
import { binding, EVENT_KINDS, EVENT_NUMBERS, LOSSES, type Failure, type NativeChoice, type NativeRecording } from '../native/binding.js';
import type { RecordSettings } from './options.js';
import type { LostUnit, Mark } from './report.js';

const DEV_BSIZE = 512;
/** Events that are fetched at a time. */
const AT_ONCE = 1024;
/** Numbers of a row of `choiceUnits`. */
const UNIT_NUMBERS = 6;

/** A recording, and what the numbers in it stand for. */
export interface Recording {
  readonly native: NativeRecording;
  readonly settings: RecordSettings;
  /** What each device is called, and its bytes. */
  readonly disks: readonly { readonly name: string; readonly size: number }[];
  /** Marks in order: first those of the state whose recovery is recorded, then its own. */
  readonly marks: Mark[];
  /** How many of the marks come from the state. */
  inherited: number;
  /** Event numbers of its own marks, in order. */
  readonly markEvents: number[];
  /** Call sites, by stack id. */
  readonly stacks: string[];
}

/** What native says of a recording. */
export interface RecordingInfo {
  readonly requests: number;
  /** A cut behind all events. */
  readonly end: number;
  readonly underApproximated: boolean;
}

/** An event of a recording: a request, or a mark. */
export interface RecordedEvent {
  readonly index: number;
  /** Its number in EVENT_KINDS. */
  readonly number: number;
  readonly kind: (typeof EVENT_KINDS)[number];
  readonly device: number;
  readonly position: number;
  readonly length: number;
  /** 0: not by itself; 1: yes; 2: nothing covers it. */
  readonly durable: number;
  /** Event numbers; end is 0 of what was never answered. */
  readonly begin: number;
  readonly end: number;
  readonly moved: number;
  readonly errno: number;
  /** Nanoseconds. */
  readonly begun: number;
  readonly answered: number;
  /** 1 of what was stored through a lease. */
  readonly stores: number;
  readonly stack: number;
}

let driver: BlockDriver | undefined;

/** The driver of devices over crash states, and over what is loaded. */
export function labDriver(): BlockDriver {
  return (driver ??= new BlockDriver({ workers: 2 }));
}

/** Throws what a failed call of the laboratory means; gives the answer of one that did not. */
export function answerOf<T>(answer: T | Failure, path?: string): T {
  if (isFailure(answer)) throw fromFailure(answer, { path });
  return answer;
}

export function infoOf({ native }: Recording): RecordingInfo {
  const answer = binding.recordingInfo(native);
  if (isFailure(answer)) throw fromFailure(answer, {});
  const [requests, , end, , , , , underApproximated] = answer;
  return { requests, end, underApproximated };
}

/** The events of a recording, in the order in which they began. */
export function* eventsOf(native: NativeRecording): Generator<RecordedEvent> {
  const rows = new Float64Array(AT_ONCE * EVENT_NUMBERS);
  for (let from = 0; ;) {
    const count = answerOf(binding.recordedEvents(native, from, rows));
    for (let i = 0; i < count; i += 1) yield eventOf(from + i, rows.subarray(i * EVENT_NUMBERS, (i + 1) * EVENT_NUMBERS));
    if (count === 0) return;
    from += count;
  }
}

function eventOf(index: number, row: Float64Array): RecordedEvent {
  const [kind, device, position, length, durable, begin, end, moved, errno, begun, answered, stores, stack] = row as unknown as EventRow;
  const name = EVENT_KINDS[kind] ?? 'mark';
  const request = { device, position, length, durable, begin, end, moved, errno, begun, answered, stores, stack };
  return { index, number: kind, kind: name, ...request };
}

/** The numbers of an event, in their order. */
type EventRow = readonly [
  kind: number,
  device: number,
  position: number,
  length: number,
  durable: number,
  begin: number,
  end: number,
  moved: number,
  errno: number,
  begun: number,
  answered: number,
  stores: number,
  stack: number,
];

/** The units of a choice that are lost or torn, or with `kept` those that are there. */
export function unitsOf({ stacks }: Recording, choice: NativeChoice, kept: boolean): LostUnit[] {
  const rows = binding.choiceUnits(choice, kept);
  const units: LostUnit[] = [];
  for (let i = 0; i + UNIT_NUMBERS <= rows.length; i += UNIT_NUMBERS) {
    const [request, device, position, length, loss, id] = rows.subarray(i, i + UNIT_NUMBERS) as unknown as UnitRow;
    const stack = stacks[id];
    const how = LOSSES[loss] ?? 'lost';
    const place = { sector: Math.floor(position / DEV_BSIZE), sectors: Math.ceil(length / DEV_BSIZE) };
    units.push({ request, device, ...place, how, ...(stack !== undefined && { stack }) });
  }
  return units;
}

type UnitRow = readonly [request: number, device: number, position: number, length: number, loss: number, stack: number];
