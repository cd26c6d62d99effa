// Where requests go, made before the clock starts: uniform, zipf or sequential, and reproducible by a seed.
// The same patterns as native/bench/support/positions.h.

const THETA = 0.99;

/** Numbers in [0, 1), by mulberry32. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Ranks 0 to n - 1, rank 0 the most frequent: the method of Gray et al. that YCSB uses. */
function zipf(n) {
  let zeta = 0;
  for (let rank = 1; rank <= n; rank += 1) zeta += rank ** -THETA;
  const zeta2 = 1 + 0.5 ** THETA;
  const eta = (1 - (2 / n) ** (1 - THETA)) / (1 - zeta2 / zeta);
  return (u) => {
    if (u * zeta < 1) return 0;
    if (u * zeta < zeta2) return 1;
    return Math.min(n - 1, Math.floor(n * (eta * u - eta + 1) ** (1 / (1 - THETA))));
  };
}

/** A number of positions that is a power of two, in [0, size), multiples of `block`: a ring that a pass goes along. */
export function positions(pattern, { size, block, count, seed }) {
  const blocks = Math.floor(size / block);
  const next = random(seed);
  const ring = new Float64Array(count);
  if (pattern === 'sequential') {
    const first = Math.floor(next() * blocks);
    for (let i = 0; i < count; i += 1) ring[i] = ((first + i) % blocks) * block;
  } else if (pattern === 'zipf') {
    const rank = zipf(blocks);
    // The popular blocks lie scattered over the image.
    for (let i = 0; i < count; i += 1) ring[i] = Math.floor(random(rank(next()) * 0x9e3779b1)() * blocks) * block;
  } else {
    for (let i = 0; i < count; i += 1) ring[i] = Math.floor(next() * blocks) * block;
  }
  return ring;
}
