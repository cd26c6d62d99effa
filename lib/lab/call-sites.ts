// Where requests are made: while a recording keeps call sites, the methods that make requests tell it theirs. Nobody else pays for it: they are
// wrapped when the first such recording begins and are what they were when the last one ends.
import { BlockDevice } from '../device.js';
import { binding, type NativeRecording } from '../native/binding.js';
import { Batch } from '../request/batch.js';

type Method = (this: unknown, ...given: unknown[]) => unknown;
type Methods = Record<string, Method>;

const OF_DEVICES = [
  'write',
  'writeSync',
  'discard',
  'discardSync',
  'writeZeroes',
  'writeZeroesSync',
  'strategy',
  'strategySync',
  'flush',
  'flushSync',
] as const;
const OF_BATCHES = ['run', 'runSync'] as const;
/** Frames of a call site. */
const FRAMES = 8;
const NO_STACK = -1;

interface Kept {
  readonly native: NativeRecording;
  readonly stacks: string[];
  readonly ids: Map<string, number>;
}

const kept = new Set<Kept>();
let unwrap: (() => void) | undefined;

/**
 * Keeps the call sites of requests for a recording.
 *
 * @param native the recording
 * @param stacks gets each call site once; its index is the stack id
 * @returns ends it
 */
export function keepCallSites(native: NativeRecording, stacks: string[]): () => void {
  const own = { native, stacks, ids: new Map<string, number>() };
  kept.add(own);
  unwrap ??= wrapAll();
  return () => {
    kept.delete(own);
    if (kept.size > 0) return;
    unwrap?.();
    unwrap = undefined;
  };
}

function wrapAll(): () => void {
  const undo = [
    ...OF_DEVICES.map((name) => wrap(BlockDevice.prototype as unknown as Methods, name)),
    ...OF_BATCHES.map((name) => wrap(Batch.prototype as unknown as Methods, name)),
  ];
  return () => {
    for (const back of undo) back();
  };
}

/** The method makes its request before it returns, also where it gives a promise. */
function wrap(prototype: Methods, name: string): () => void {
  const own = prototype[name];
  if (own === undefined) return () => undefined;
  const wrapped: Method = function (...given) {
    const stack = callSite(wrapped);
    for (const recording of kept) binding.recordStack(recording.native, idOf(recording, stack));
    try {
      return own.apply(this, given);
    } finally {
      for (const { native } of kept) binding.recordStack(native, NO_STACK);
    }
  };
  const define = (value: Method): unknown => Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
  define(wrapped);
  return () => define(own);
}

function callSite(above: Method): string {
  const holder: { stack?: string } = {};
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = FRAMES;
  Error.captureStackTrace(holder, above);
  const { stack = '' } = holder;
  Error.stackTraceLimit = stackTraceLimit;
  return stack.slice(stack.indexOf('\n') + 1);
}

function idOf({ stacks, ids }: Kept, stack: string): number {
  const known = ids.get(stack);
  if (known !== undefined) return known;
  ids.set(stack, stacks.length);
  return stacks.push(stack) - 1;
}
