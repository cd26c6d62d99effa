// What came of a table or a label that was to be written.
import type { Failure, NativeWritten } from '../native/binding.js';
import { fromFailure, isFailure, type FailurePlace } from '../errors.js';
import { describeFaults } from './verdicts.js';

/** Throws the failure of a table or a label that was not written, with what is wrong with it as `cause`. */
export function finish(written: NativeWritten | Failure, place: FailurePlace): void {
  if (isFailure(written)) throw fromFailure(written, place);
  const { outcome, faults } = written;
  if (typeof outcome === 'number') return;
  throw Object.assign(fromFailure(outcome, place), faults.count > 0 ? { cause: new Error(describeFaults(faults)) } : {});
}
