// registerPartition: a partition of a disk that is registered, by any of the ways in which a caller may choose it.
import { EINVAL, ENXIO, fromFailure, invalidArgType, isFailure, type FailurePlace } from '../errors.js';
import { LOOKING } from '../options.js';
import type { Failure, NativeDriver, Outcome } from '../native/binding.js';
import { chosenPartition, lookAt, lookAtSync, nameIn, unusable, type ChosenPartition, type Looked } from './choice.js';

/** Names the host file of the disk; without a path there is no such minor. */
type PlaceOf = () => FailurePlace;

/** Registers the partition of `disk` that `partition` chooses. */
export async function partitionMinor(native: NativeDriver, disk: number, partition: unknown, placeOf: PlaceOf): Promise<number> {
  const look = (): Promise<Looked> => lookAt(native.open(disk, ...LOOKING));
  const chosen = accept(partition);
  const name = isName(chosen) ? chosen.name : nameFor(chosen, await look(), placeOf());
  const outcome = await native.registerPartition(disk, name);
  if (typeof outcome === 'number') return outcome;
  throw isUnusable(outcome, placeOf()) ? failureFor(outcome, name, await look(), placeOf()) : fromFailure(outcome, placeOf());
}

/** The same on the calling thread. */
export function partitionMinorSync(native: NativeDriver, disk: number, partition: unknown, placeOf: PlaceOf): number {
  const look = (): Looked => lookAtSync(native.openSync(disk, ...LOOKING));
  const chosen = accept(partition);
  const name = isName(chosen) ? chosen.name : nameFor(chosen, look(), placeOf());
  const outcome = native.registerPartitionSync(disk, name);
  if (typeof outcome === 'number') return outcome;
  throw isUnusable(outcome, placeOf()) ? failureFor(outcome, name, look(), placeOf()) : fromFailure(outcome, placeOf());
}

function accept(partition: unknown): ChosenPartition {
  const chosen = chosenPartition(partition, 'partition');
  if (chosen === undefined) throw invalidArgType('partition', 'of type string or number or a PartitionEntry', partition);
  return chosen;
}

/** Tells a choice that native takes as it is. */
function isName(chosen: ChosenPartition): chosen is ChosenPartition & { readonly name: string } {
  return chosen.name !== undefined && chosen.place === undefined;
}

function nameFor(chosen: ChosenPartition, table: Looked, { path = '', minor = -1 }: FailurePlace): string {
  if (isFailure(table)) throw fromFailure(table, { path, minor });
  return nameIn(table, chosen, { path, minor }, 'register');
}

/** Tells that the disk is there, and the partition is not, or cannot be used. */
function isUnusable(outcome: Outcome, place: FailurePlace): boolean {
  return typeof outcome !== 'number' && (outcome[0] === ENXIO || outcome[0] === EINVAL) && place.path !== undefined;
}

function failureFor(failure: Failure, name: string, table: Looked, place: FailurePlace): Error {
  const { path, minor = -1 } = place;
  // The disk may have gone meanwhile, or cannot be read: then that is the failure.
  const why = isFailure(table) || path === undefined ? undefined : unusable(failure[0], name, table, { path, minor }, 'register');
  return why ?? fromFailure(failure, place);
}
