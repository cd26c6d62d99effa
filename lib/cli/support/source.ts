// What FILE means: the path of an image or a node, or a medium that lasts as long as the command.
import { InvalidArgumentError } from '../bundled/commander.js';
import type { Source } from '../../index.js';
import { memory, nullMedium } from '../../media.js';
import { nbd } from '../../nbd.js';
import { UsageError } from './failure.js';
import { parseBytes, parsePath } from './units.js';

/** What the help of a command says of an argument that is one. */
export const FILE_HELP = 'image or device node, memory:SIZE, null:SIZE or an nbd: URL';

/** What the help says of FILE. */
export const SOURCES =
  'FILE may be memory:SIZE, a disk of zeros in memory that is gone when the command ends, or null:SIZE, which gives zeros and forgets what is written; or an export of an NBD server, nbd://HOST:PORT/EXPORT or nbd+unix:///EXPORT?socket=PATH. A file that has such a name is ./memory:SIZE.';

/** The kinds of media that FILE can be. */
type Kind = 'memory' | 'null' | 'nbd';

/** A name that stands for a medium, and the size that it says. */
function wordsOf(file: string): { readonly kind: 'memory' | 'null'; readonly size: string } | undefined {
  const [, kind, size] = /^(memory|null):(.*)$/s.exec(file) ?? [];
  return kind === undefined || size === undefined ? undefined : { kind: kind as 'memory' | 'null', size };
}

/** Tells a URL of NBD, also one that nobody can reach: what is wrong with it is said when it is parsed. */
function isNbd(file: string): boolean {
  return /^nbds?(\+[a-z]+)?:/.test(file);
}

/** Tells which kind of medium FILE stands for; undefined for a path. */
export function mediumKind(file: string): Kind | undefined {
  return isNbd(file) ? 'nbd' : wordsOf(file)?.kind;
}

const NBD_FORMS = 'nbd://HOST:PORT/EXPORT or nbd+unix:///EXPORT?socket=PATH';

/** What may be meant by a name that is no file's and looks like a medium's; undefined of others. */
export function mediumMeant(file: string): string | undefined {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+]*):(.*)$/s.exec(file) ?? [];
  if (scheme === undefined) return undefined;
  if (scheme === 'qcow2' || scheme === 'vhd' || scheme === 'raw')
    return `an image of a format is given as ${rest || 'FILE'} --format ${scheme}`;
  if (scheme === 'file') return `a file is given by its path: ${rest.replace(/^\/\//, '') || 'FILE'}`;
  return `what is no file is memory:SIZE, null:SIZE, ${NBD_FORMS}`;
}

/** FILE as given, once it is known that it can be one. */
export function parseSource(text: string): string {
  const words = wordsOf(text);
  if (words === undefined && !isNbd(text)) return parsePath(text);
  try {
    if (words === undefined) nbd(text);
    else parseBytes(words.size);
  } catch {
    const right = words === undefined ? NBD_FORMS : `${words.kind}:64M`;
    throw new InvalidArgumentError(`Give ${right}; a file of that name is ./${text}.`);
  }
  return text;
}

/** What FILE stands for; each call makes a medium of its own. */
export function sourceOf(file: string): Source {
  const words = wordsOf(file);
  if (words === undefined) return isNbd(file) ? nbd(file) : file;
  const size = sizeOf(file, words.size);
  return words.kind === 'memory' ? memory({ size, name: file }) : nullMedium({ size });
}

function sizeOf(file: string, text: string): number {
  try {
    return parseBytes(text);
  } catch (error) {
    throw new UsageError(`'${file}': ${(error as Error).message} A file of that name is ./${file}.`);
  }
}
