// The chance in random tests. `npm test` takes one path of each, the same at every run, so that nothing fails there by chance:
// finding new failures is the work of test:long, whose suites set RUMPBLK_CHANCE=new.

const { env } = process;

/**
 * Where the random test of this name starts: RUMPBLK_<NAME>_SEED, which replays a run; with RUMPBLK_CHANCE=new another number at
 * each run; otherwise 1. A test says its seed when it fails.
 */
export function seedOf(name: string): number {
  const told = env[`RUMPBLK_${name}_SEED`];
  if (told !== undefined) return Number(told);
  return env['RUMPBLK_CHANCE'] === 'new' ? Date.now() % 2 ** 31 : 1;
}

/**
 * How long the random test of this name goes on: for RUMPBLK_<NAME>_SECONDS, and never less than one round; without that
 * variable for `usual` rounds, or for the one round that RUMPBLK_<NAME>_SEED names.
 */
export function lengthOf(name: string, usual: number): { seconds: number; rounds: number } {
  const told = env[`RUMPBLK_${name}_SECONDS`];
  if (told !== undefined) return { seconds: Number(told), rounds: Infinity };
  return { seconds: Infinity, rounds: env[`RUMPBLK_${name}_SEED`] === undefined ? usual : 1 };
}

/** Calls `play` with the number of each round of a test of that length, one after the other. */
export async function playRounds({ seconds, rounds }: ReturnType<typeof lengthOf>, play: (round: number) => Promise<void>): Promise<void> {
  const until = Date.now() + 1000 * seconds;
  for (let round = 0; round === 0 || (round < rounds && Date.now() < until); round += 1) await play(round);
}

/** Numbers from 0 to below 1, the same for the same seed: the generator splitmix32. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
