// What is wrong with a log: EINVAL, it is none of that format; EIO, it ends too early.
import { constants } from 'node:os';
import { BlockDeviceError, remarkedError } from '../errors.js';

type Maker = (what: string) => BlockDeviceError;

/** What errors of logs say, so that whoever knows the file can name it. */
const said = new WeakMap<BlockDeviceError, { readonly errno: number; readonly what: string; readonly maker: Maker }>();

function logError(errno: number, what: string, maker: Maker): BlockDeviceError {
  const error = remarkedError({ errno: -errno, syscall: 'log' }, what, maker);
  said.set(error, { errno, what, maker });
  return error;
}

/** Of a log that breaks the rules of its format. */
export function badLog(what: string): BlockDeviceError {
  return logError(constants.errno.EINVAL, what, badLog);
}

/** Of a log whose end is missing: all before it was given. */
export function truncatedLog(what: string): BlockDeviceError {
  return logError(constants.errno.EIO, what, truncatedLog);
}

/** Of what cannot be written in a format. */
export function unfitLog(what: string): BlockDeviceError {
  return logError(constants.errno.ENOTSUP, what, unfitLog);
}

/** Of what the host, or one of the functions above, says of a file: an error that names it. Anything else as it is. */
export function hostError(error: unknown, path: Buffer): unknown {
  if (typeof error !== 'object' || error === null) return error;
  if (error instanceof BlockDeviceError) {
    const log = said.get(error);
    return log === undefined || error.path !== undefined
      ? error
      : remarkedError({ errno: -log.errno, syscall: 'log', path: path.toString() }, log.what, log.maker);
  }
  const { errno, syscall } = error as NodeJS.ErrnoException;
  if (errno === undefined || syscall === undefined) return error;
  return new BlockDeviceError({ errno, syscall, path: path.toString() }, { cause: error });
}
