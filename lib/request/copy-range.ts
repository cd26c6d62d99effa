// copyRange(): the part of a copy from one device to another that the host can make itself.
import { constants } from 'node:os';
import { fromFailure, isFailure } from '../errors.js';
import { binding } from '../native/binding.js';
import type { DeviceHandle } from './handle.js';

/** Which bytes, and how. */
export interface RangeToCopy {
  /** First byte in the source. */
  readonly from: number;
  /** First byte in the target. */
  readonly at: number;
  readonly length: number;
  /** Blocks are to be shared, or nothing is done. */
  readonly cloneOnly: boolean;
  /** Nothing has to be done for holes. */
  readonly targetIsZero: boolean;
  readonly signal: AbortSignal;
}

/** What was copied, from its start on; `isAble`: false when what is left has to be read and written. */
export interface CopiedRange {
  readonly bytes: number;
  /** Bytes of it that were holes. */
  readonly holes: number;
  /** Bytes of data that both share. */
  readonly cloned: number;
  readonly isAble: boolean;
}

const NOTHING = { bytes: 0, holes: 0, cloned: 0 } as const;
const ENOTSUP = constants.errno.EOPNOTSUPP;

/** Copies as much as the host does in one go. Throws what ended it, unless the host was not able to. */
export async function copyRange(source: DeviceHandle, target: DeviceHandle, range: RangeToCopy): Promise<CopiedRange> {
  const { from, at, length, cloneOnly, targetIsZero, signal } = range;
  const token = target.token(signal);
  const begun = binding.copyRange(target.requests, source.requests, from, at, length, cloneOnly, targetIsZero, token);
  const answer = await target.settle(begun, signal, token);
  const { outcome, ...copied } = isFailure(answer) ? { ...NOTHING, outcome: answer } : answer;
  if (!isFailure(outcome)) return { ...copied, isAble: true };
  signal.throwIfAborted();
  if (outcome[0] !== ENOTSUP) throw fromFailure(outcome, target);
  return { ...copied, isAble: false };
}
