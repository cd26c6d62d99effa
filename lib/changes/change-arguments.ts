// Arguments of the calls that change single partitions.
import { invalidArgType, invalidArgValue } from '../errors.js';
import { keysOf, requireKnown, type KnownKeys } from '../arguments/known-keys.js';
import { bytes, flag, listOf, requireObject, requireOptions } from '../arguments/validate.js';
import type { AlignmentOptions } from './free-ranges.js';
import { chosenPartition, type PartitionChoice } from '../label/choice.js';
import type { PartitionChange, PartitionToAdd } from './table-changes.js';

/** How a table is changed. */
export interface ChangeOptions extends AlignmentOptions {
  /** Does everything but the writes; default false. */
  dryRun?: boolean;
}

/** More than anybody changes at once. */
const MAX_CHANGES = 2 ** 16;
const CHANGE_KEYS = keysOf<ChangeOptions>({ alignment: true, dryRun: true });
const ADD_KEYS: KnownKeys = keysOf<PartitionToAdd>({
  inside: true,
  start: true,
  size: true,
  type: true,
  index: true,
  label: true,
  uuid: true,
  attributes: true,
  bootable: true,
});

const CHANGE_KINDS = { add: true, resize: true, remove: true } as const;
const INSTEAD = { dryRun: 'the options of the call', alignment: 'the options of the call' };
/** The keys of a change. The kinds that it is not of may be there, and undefined. */
const ADD_OR_REMOVE_KEYS = keysOf<typeof CHANGE_KINDS>(CHANGE_KINDS, { ...INSTEAD, size: "that of 'resize', or of what is added" });
const RESIZE_KEYS = keysOf<typeof CHANGE_KINDS & { size: unknown }>({ ...CHANGE_KINDS, size: true }, INSTEAD);

/** Accepts options of a change. */
export function settingsOf(options: unknown): ChangeOptions {
  if (options === undefined) return {};
  requireOptions(options, 'options', CHANGE_KEYS);
  const { alignment, dryRun } = options as ChangeOptions;
  return { ...(alignment !== undefined && { alignment }), dryRun: flag(dryRun, 'options.dryRun', false) };
}

/** Accepts a list of changes. */
export function changesOf(changes: unknown): PartitionChange[] {
  return listOf(changes, 'changes', MAX_CHANGES, (given, name) => {
    requireObject(given, name);
    const { add, resize, remove, size } = given as { add?: unknown; resize?: unknown; remove?: unknown; size?: unknown };
    const asked = [add, resize, remove].filter((each) => each !== undefined);
    if (asked.length !== 1) throw invalidArgValue(name, given, 'must have one of add, resize and remove');
    requireKnown(given, resize === undefined ? ADD_OR_REMOVE_KEYS : RESIZE_KEYS, name);
    if (add !== undefined) return { add: toAdd(add, `${name}.add`) };
    if (resize !== undefined) return { resize: choiceOf(resize, `${name}.resize`), size: sizeOf(size, `${name}.size`) };
    return { remove: choiceOf(remove, `${name}.remove`) };
  });
}

/** Accepts what chooses a partition. */
export function choiceOf(value: unknown, name: string): PartitionChoice {
  if (chosenPartition(value, name) === undefined) throw invalidArgType(name, 'of type string or number or a PartitionEntry', value);
  return value as PartitionChoice;
}

/** Accepts a partition to be added. */
export function toAdd(partition: unknown, name: string): PartitionToAdd {
  requireOptions(partition, name, ADD_KEYS);
  const { inside, start, size, type, index, label, uuid, attributes, bootable } = partition as PartitionToAdd;
  const type_: unknown = type;
  if (type_ === undefined) throw invalidArgType(`${name}.type`, 'of type number or string', type_);
  // The rest is looked at with the table, whose scheme decides.
  return {
    type,
    ...(inside !== undefined && { inside: choiceOf(inside, `${name}.inside`) }),
    ...(start !== undefined && { start: bytes(start, `${name}.start`) }),
    ...(size !== undefined && { size: sizeOf(size, `${name}.size`) }),
    ...(index !== undefined && { index }),
    ...(label !== undefined && { label }),
    ...(uuid !== undefined && { uuid }),
    ...(attributes !== undefined && { attributes }),
    ...(bootable !== undefined && { bootable }),
  };
}

/** Accepts bytes, or 'rest'. */
export function sizeOf(value: unknown, name: string): number | 'rest' {
  if (typeof value === 'string' && value !== 'rest') throw invalidArgValue(name, value, "must be a number of bytes or 'rest'");
  return value === 'rest' ? value : bytes(value, name);
}
