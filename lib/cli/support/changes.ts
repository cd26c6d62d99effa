// The changes of a table that the command line asks for, in words: --add type=linux,size=64M, --resize p2=rest, --remove p3.
import { InvalidArgumentError } from '../bundled/commander.js';
import type { PartitionChange, PartitionToAdd } from '../../index.js';
import { parseBytes } from './units.js';

const REST = 'rest';
const SPEC = 'Give words with commas between them, as in type=linux,size=64M,label=root: type, start, size, label, uuid, inside, index, attributes, bootable.'; // prettier-ignore

/** The largest entry that a table may have. */
const INDEX = /^\d{1,9}$/;
const BITS = /^(0x[0-9a-f]+|\d+)$/i;

const WORDS: Readonly<Record<string, (text: string) => Partial<PartitionToAdd>>> = {
  type: (type) => ({ type: /^\d+$/.test(type) ? Number(type) : type }),
  start: (start) => ({ start: parseBytes(start) }),
  size: (size) => ({ size: parseSize(size) }),
  label: (label) => ({ label }),
  uuid: (uuid) => ({ uuid }),
  inside: (inside) => ({ inside }),
  index: (index) => ({ index: Number(matching(index, INDEX)) }),
  attributes: (attributes) => ({ attributes: BigInt(matching(attributes, BITS)) }),
};

function matching(text: string, pattern: RegExp): string {
  if (!pattern.test(text)) throw new InvalidArgumentError(SPEC);
  return text;
}

/** `type=linux,size=64M,label="a, b",bootable`. */
export function parseAdd(text: string): PartitionChange {
  const words = text.match(/(?:"[^"]*"|[^,"])+/g) ?? [];
  if (words.join(',') !== text) throw new InvalidArgumentError(SPEC);
  const add: Partial<PartitionToAdd> = {};
  for (const word of words) {
    const [, key = word, value] = /^([^=]*)=(.*)$/s.exec(word) ?? [];
    if (Object.hasOwn(add, key)) throw new InvalidArgumentError(`Give '${key}' once.`);
    const read = Object.hasOwn(WORDS, key) ? WORDS[key] : undefined;
    if (value !== undefined && read !== undefined) Object.assign(add, read(value.replace(/^"(.*)"$/s, '$1')));
    else if (word === 'bootable') add.bootable = true;
    else throw new InvalidArgumentError(SPEC);
  }
  const { type, ...rest } = add;
  if (type === undefined) throw new InvalidArgumentError('Say what it is for, as in type=linux.');
  return { add: { type, ...rest } };
}

/** `p2=64M`, `p2=rest`. */
export function parseResize(text: string): PartitionChange {
  const [, name, size] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || size === undefined) throw new InvalidArgumentError('Give the partition and its size, as in p2=64M or p2=rest.');
  return { resize: name, size: parseSize(size) };
}

export function parseRemove(name: string): PartitionChange {
  if (name === '') throw new InvalidArgumentError('Give the name of a partition.');
  return { remove: name };
}

function parseSize(text: string): number | 'rest' {
  return text === REST ? REST : parseBytes(text);
}
