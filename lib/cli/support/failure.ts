// How a command fails: one line a failure on stderr, and an exit status.
import { getSystemErrorMap } from 'node:util';
import { BlockDeviceError } from '../../index.js';

export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** The command line asks for something that makes no sense; nothing was touched. */
export class UsageError extends Error {}

/** A failure of a command whose exit status 1 has another meaning: it ends with 2, whatever failed. */
export class Trouble extends Error {
  constructor(readonly reason: unknown) {
    super(String(reason));
  }
}

interface Coded extends Error {
  code: string;
  path?: string;
}

function isCoded(error: unknown): error is Coded {
  return error instanceof Error && typeof (error as Partial<Coded>).code === 'string';
}

const hints = new WeakMap<Error, string>();

/** Adds what a user of the shell can do about a failure, or what is wrong in the words of the command line. */
export function withHint<T extends Error>(error: T, hint: string): T {
  hints.set(error, hint);
  return error;
}

/** What the shell user can do about it, where the message alone does not tell. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ['EINVAL strategy', 'beyond the end of the device'],
  ['EBUSY lock', 'in use elsewhere; --no-lock goes on in spite of that'],
]);

/** What a message or a cause calls by its name in a program, and the option that asks for the same here. */
const OPTIONS: readonly (readonly [RegExp, string])[] = [
  [/\boverwrite: true$/, '--overwrite'],
  [/\bwritePartitions makes a table$/, '--write makes a table'],
  [/\bgive one as option 'size'/, 'give --size'],
  [/^The property 'options\.host' (is reached .*) 'allowRemote'(.*)\. Received ('.*')$/, '$3 $1 --allow-remote$2'],
  [/\ba log without data(?=\)?$)/, 'a log without data: crashtest IMAGE --run COMMAND records one with data'],
];

function inOptions(cause: string): string {
  return OPTIONS.reduce((text, [word, option]) => text.replace(word, option), cause);
}

/** Whether the message has no more to say than what the system calls the error. */
function isPlain({ errno, message }: BlockDeviceError): boolean {
  const [, words] = getSystemErrorMap().get(errno) ?? [];
  return words !== undefined && message.includes(words);
}

/** The failures in `error`, each once, in words; a bug shows its stack. */
export function failureLines(error: unknown): string[] {
  if (error instanceof Trouble) return failureLines(error.reason);
  if (error instanceof AggregateError) return [...new Set(error.errors.flatMap(failureLines))];
  if (error instanceof UsageError) return [error.message];
  if (!isCoded(error)) return error instanceof Error ? (error.stack ?? error.message).split('\n') : [String(error)];
  const named = error.path === undefined || error.message.includes(`'${error.path}'`);
  const message = named ? error.message : `${error.message} '${error.path}'`;
  const known = error instanceof BlockDeviceError && isPlain(error) ? HINTS.get(`${error.code} ${error.syscall}`) : undefined;
  // A hint says more than the reason that the message has.
  const own = hints.get(error);
  if (own !== undefined) return [`${message.replace(/ \([^()]*\)$/, '')} (${own})`];
  // A cause may be what the message was made of.
  const cause = error.cause instanceof Error && !message.includes(error.cause.message) ? error.cause : undefined;
  const hint = cause === undefined ? known : inOptions(cause.message);
  return [hint === undefined ? inOptions(message) : `${message} (${hint})`];
}

/** 2 where the values given can never work, else 1. */
export function exitStatus(error: unknown): number {
  return error instanceof Trouble || error instanceof UsageError || (isCoded(error) && error.code.startsWith('ERR_'))
    ? EXIT.usage
    : EXIT.failed;
}

/** The `error` member of a JSON document. */
export function failureJson(error: unknown): object {
  if (error instanceof Trouble) return failureJson(error.reason);
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const message = failureLines(error).join('; ');
  if (!(first instanceof BlockDeviceError)) return isCoded(first) ? { code: first.code, message } : { message };
  const { code, errno, syscall, path, minor, blkno, bytesTransferred, injected, holder, lost } = first;
  return { code, errno, syscall, path, minor, blkno, bytesTransferred, injected, holder, lost, message };
}

/** Adds the name of the file to a failure of Node's that lacks it. */
export function withPath(error: unknown, path: string): unknown {
  return isCoded(error) && error.path === undefined ? Object.assign(error, { path }) : error;
}
