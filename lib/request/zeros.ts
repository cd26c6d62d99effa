// Where bytes are zeros.
const ZEROS = Buffer.alloc(64 * 1024);

/** Index of the first step of 64 KiB that is not all zeros, or -1. */
function firstStep(data: Buffer): number {
  for (let at = 0; at < data.length; at += ZEROS.length) {
    const part = data.subarray(at, at + ZEROS.length);
    if (!part.equals(ZEROS.subarray(0, part.length))) return at;
  }
  return -1;
}

export function isZero(data: Buffer): boolean {
  return firstStep(data) < 0;
}

/** Index of the first byte that is not zero, or -1. */
export function firstNonZero(data: Buffer): number {
  const at = firstStep(data);
  return at < 0 ? -1 : at + data.subarray(at).findIndex((byte) => byte !== 0);
}
