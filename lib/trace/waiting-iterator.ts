// WaitingIterator: gives what is found, waits for more, and can be left while it waits, which an asynchronous generator cannot.

/** What a look has found. */
export interface Look<T> {
  readonly values: readonly T[];
  /** Nothing was found, and nothing will be. */
  readonly isLast: boolean;
}

export class WaitingIterator<T> implements AsyncIterableIterator<T, void, undefined> {
  readonly #look: () => Look<T>;
  readonly #more: () => Promise<void>;
  #found: readonly T[] = [];
  #given = 0;
  #isOver = false;
  /** Ends the wait that is under way. */
  #leave = (): void => undefined;
  /** Calls of next() are answered in their order. */
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param look finds what has come since the last look
   * @param more comes when there may be more; called before the look that it is about
   */
  constructor(look: () => Look<T>, more: () => Promise<void>) {
    this.#look = look;
    this.#more = more;
  }

  next(): Promise<IteratorResult<T, void>> {
    const next = this.#last.then(() => this.#next());
    this.#last = next.catch(() => undefined);
    return next;
  }

  /** Ends it, a next() that waits included. */
  return(): Promise<IteratorResult<T, void>> {
    this.#isOver = true;
    this.#leave();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #next(): Promise<IteratorResult<T, void>> {
    while (!this.#isOver) {
      if (this.#given < this.#found.length) return { done: false, value: this.#found[this.#given++] as T };
      const more = this.#more();
      const { values, isLast } = this.#look();
      [this.#found, this.#given] = [values, 0];
      if (isLast) this.#isOver = true;
      else if (values.length === 0) await this.#until(more);
    }
    return { done: true, value: undefined };
  }

  #until(more: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      this.#leave = resolve;
      void more.then(resolve);
    });
  }
}
