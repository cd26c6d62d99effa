// Makes a failure small: as few losses as are enough for it, then as few survivors as it takes.

/** Tells whether a failure is still there with this part of what was looked at. */
export type StillFails<T> = (part: readonly T[]) => Promise<boolean>;

/**
 * Finds a part of `all` that still fails, and of which no element can be left out: delta debugging (ddmin).
 *
 * @param all what fails
 * @param fails asks about a part, in the order of `all`
 */
export async function minimal<T>(all: readonly T[], fails: StillFails<T>): Promise<T[]> {
  if (all.length === 0 || (await fails([]))) return [];
  let now = [...all];
  let parts = 2;
  while (now.length >= 2) {
    const smaller = await smallerPart(now, parts, fails);
    if (smaller !== undefined) {
      now = smaller.rest;
      parts = smaller.isPart ? 2 : Math.max(parts - 1, 2);
    } else if (parts >= now.length) {
      break;
    }
    parts = Math.min(now.length, smaller === undefined ? parts * 2 : parts);
  }
  return now;
}

/** One of `count` parts that fails alone, or all without one of them that does. */
async function smallerPart<T>(
  all: readonly T[],
  count: number,
  fails: StillFails<T>,
): Promise<{ readonly rest: T[]; readonly isPart: boolean } | undefined> {
  const bound = (part: number): number => Math.floor((part * all.length) / count);
  for (let part = 0; part < count; part += 1) {
    const rest = all.slice(bound(part), bound(part + 1));
    if (await fails(rest)) return { rest, isPart: true };
  }
  // Of two parts, what is left without one of them is the other one.
  for (let part = 0; count > 2 && part < count; part += 1) {
    const rest = [...all.slice(0, bound(part)), ...all.slice(bound(part + 1))];
    if (await fails(rest)) return { rest, isPart: false };
  }
  return undefined;
}

/** Asks about whole groups first, then, unless `isWhole`, about what is in those that are left. */
export async function minimalByGroups<T>(
  all: readonly T[],
  groupOf: (element: T) => number,
  isWhole: boolean,
  fails: StillFails<T>,
): Promise<T[]> {
  const groups = new Map<number, T[]>();
  for (const element of all) {
    const group = groups.get(groupOf(element));
    if (group === undefined) groups.set(groupOf(element), [element]);
    else group.push(element);
  }
  const left = await minimal([...groups.values()], (some) => fails(some.flat()));
  const elements = left.flat();
  return isWhole || elements.length === left.length ? elements : minimal(elements, fails);
}
