// Resources that end with the work on them, also when both fail.

export interface Closable {
  close(): void | Promise<void>;
}

/** Runs `use`, then closes. A failure of the close does not hide one of `use`: both are reported, in an AggregateError. */
export async function useAndClose<T>(resource: Closable, use: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await use();
  } catch (error) {
    const failures = [error];
    try {
      await resource.close();
    } catch (closing) {
      failures.push(closing);
    }
    throw failures.length === 1 ? error : new AggregateError(failures);
  }
  await resource.close();
  return result;
}

/** Many as one: closes every one of them, then throws the first failure. */
export function together(resources: readonly Closable[]): Closable {
  return {
    close: async () => {
      const results = await Promise.allSettled(resources.map(async (resource) => resource.close()));
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    },
  };
}

/** Many that stand on one another as one: closes the last one first, each when the one before is closed, then throws the first failure. */
export function stacked(resources: Closable[]): { close: () => Promise<void> } {
  return {
    close: async () => {
      const failures: unknown[] = [];
      for (let top = resources.pop(); top !== undefined; top = resources.pop()) {
        try {
          await top.close();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
