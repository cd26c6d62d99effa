// The second phase of a copy: the target is read again. What was read from the source has its digest; of all else the target has to
// know that it is zeros, or to read as them.
import { constants } from 'node:os';
import { BlockDeviceError } from '../index.js';
import { matches, type Digested, type Digests } from './digests.js';
import type { Source, Target } from './ends.js';
import { Pieces } from './pieces.js';
import { inLanes, tell, type Run } from './pump.js';

type Readable = Required<Pick<Target, 'read'>> & Pick<Target, 'stretches'>;

/** Takes the digests of the first `length` bytes of a source that were copied without being read. */
export async function digestOf(source: Source, length: number, run: Run, digests: Digests): Promise<void> {
  const { settings, control } = run;
  const pieces = new Pieces(source, settings.chunkSize, { from: 0, to: length }, control.signal);
  await inLanes(run, async () => {
    const own = Buffer.allocUnsafeSlow(Math.min(settings.chunkSize, length));
    for (let piece = await pieces.take(); piece !== undefined; piece = await pieces.take()) {
      control.signal.throwIfAborted();
      if (piece.isZero) continue;
      const count = await source.read(own.subarray(0, piece.length), piece.position, control.signal);
      digests.add(piece.position, own.subarray(0, count));
    }
  });
}

/** Reads the target again and compares it. */
export async function verifyAll(target: Readable, name: string, run: Run, digests: Digests): Promise<void> {
  const { settings, control, total } = run;
  const { signal } = control;
  const list = digests.list(total);
  let verified = 0;
  const verify = async ({ position, length, digest }: Digested, own: Buffer): Promise<void> => {
    signal.throwIfAborted();
    const memory = own.subarray(0, length);
    const count = await target.read(memory, position, signal);
    if (count < length || !matches(digest, memory)) throw mismatch(name, position);
    verified += length;
    tell(run, 'verify', verified);
  };
  const verifyZeros = async ({ position, length }: Digested, own: Buffer): Promise<void> => {
    const range = { from: position, to: position + length };
    const pieces = new Pieces(target, settings.chunkSize, range, signal);
    for (let piece = await pieces.take(); piece !== undefined; piece = await pieces.take()) {
      if (piece.isZero) tell(run, 'verify', (verified += piece.length));
      else await verify({ ...piece, digest: undefined }, own);
    }
  };
  await inLanes(run, async () => {
    const own = Buffer.allocUnsafeSlow(Math.min(settings.chunkSize, total));
    for (const one of { [Symbol.iterator]: () => ({ next: () => list.next() }) }) {
      await (one.digest === undefined ? verifyZeros(one, own) : verify(one, own));
    }
  });
}

/** What is not what was written: an I/O error, found by us. */
function mismatch(path: string, position: number): BlockDeviceError {
  return new BlockDeviceError({ errno: -constants.errno.EIO, syscall: 'verify', path, bytesTransferred: position });
}
