// What does the transfers of host files that wait for a disk.
import { oneOf } from './arguments/validate.js';
import { ENGINE } from './native/binding.js';

/**
 * What does reads of host files that wait for a disk, and direct writes. threads: the driver's workers, as many at a time as there are.
 * io_uring: the host alone, any number at a time; a driver that asks for it where it cannot be had is ENOTSUP.
 */
export type Engine = 'threads' | 'io_uring';

/** The number of an engine. */
export function engineArgument(engine: unknown): number {
  return ENGINE[oneOf(engine, 'options.engine', ENGINE)];
}
