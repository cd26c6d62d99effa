// What is wrong with a log: EINVAL, it is none of that format; EIO, it ends too early.
import { constants } from 'node:os';
import { BlockDeviceError, remarkedError } from '../errors.js';

/** Of a log that breaks the rules of its format. */
export function badLog(what: string): BlockDeviceError {
  return remarkedError({ errno: -constants.errno.EINVAL, syscall: 'log' }, what, badLog);
}

/** Of a log whose end is missing: all before it was given. */
export function truncatedLog(what: string): BlockDeviceError {
  return remarkedError({ errno: -constants.errno.EIO, syscall: 'log' }, what, truncatedLog);
}

/** Of what cannot be written in a format. */
export function unfitLog(what: string): BlockDeviceError {
  return remarkedError({ errno: -constants.errno.ENOTSUP, syscall: 'log' }, what, unfitLog);
}

/** Of what the host says of a file; anything else as it is. */
export function hostError(error: unknown, path: Buffer): unknown {
  if (typeof error !== 'object' || error === null || error instanceof BlockDeviceError) return error;
  const { errno, syscall } = error as NodeJS.ErrnoException;
  if (errno === undefined || syscall === undefined) return error;
  return new BlockDeviceError({ errno, syscall, path: path.toString() }, { cause: error });
}
