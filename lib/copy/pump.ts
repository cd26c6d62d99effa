// The lanes of a copy: each takes the next piece, reads it, writes it, and goes on. The first failure ends all of them;
// nothing is under way any more when it is reported.
import { constants } from 'node:os';
import { BlockDeviceError } from '../index.js';
import type { Digests } from './digests.js';
import type { Source, Target } from './ends.js';
import type { CopyProgress, CopySettings } from './options.js';
import { Pieces, type Piece, type Turn } from './pieces.js';

/** What both phases have in common. */
interface Run {
  readonly settings: CopySettings;
  /** Aborts with the first failure, or with the caller's own signal. */
  readonly control: AbortController;
  readonly total: number;
}

/** Runs `lane` as often at once as is asked for; waits for all of them, then throws what failed first. */
async function inLanes(run: Run, lane: () => Promise<void>): Promise<void> {
  const { control, settings } = run;
  const guarded = async (): Promise<void> => {
    try {
      await lane();
    } catch (error) {
      control.abort(error);
    }
  };
  await Promise.all(Array.from({ length: settings.concurrency }, guarded));
  control.signal.throwIfAborted();
}

function tell({ settings, total }: Run, phase: CopyProgress['phase'], bytes: number): void {
  settings.onProgress?.({ phase, bytes, total: total === Infinity ? undefined : total });
}

/** Copies everything. -> bytes. */
export async function copyAll(source: Source, target: Target, run: Run, digests: Digests | undefined): Promise<number> {
  const { settings, control, total } = run;
  const { signal } = control;
  // Who wants every zero written wants every hole read.
  const pieces = new Pieces(settings.sparse ? source : {}, settings.chunkSize, total);
  let moved = 0;

  const readOne = async (memory: Buffer, position: number, turn: Turn): Promise<Buffer> => {
    if (source.isStream) await turn.before;
    signal.throwIfAborted();
    const count = await source.read(memory, position, signal);
    if (count < memory.length) pieces.end();
    turn.done();
    return memory.subarray(0, count);
  };
  const inTurn = async (turn: Turn, write: () => Promise<void>): Promise<void> => {
    if (target.isStream) await turn.before;
    signal.throwIfAborted();
    await write();
  };
  const move = async ({ position, length, isHole, reading, writing }: Piece, own: () => Buffer): Promise<number> => {
    if (isHole) {
      reading.done();
      await inTurn(writing, () => target.zero(position, length, signal));
      return length;
    }
    // What a stream was given is the stream's: it may keep it.
    const memory = target.isStream ? Buffer.allocUnsafeSlow(length) : own().subarray(0, length);
    const data = await readOne(memory, position, reading);
    digests?.set(position, data);
    if (data.length > 0) await inTurn(writing, () => target.write(data, position, settings.sparse, signal));
    return data.length;
  };
  await inLanes(run, async () => {
    let own: Buffer | undefined;
    const memory = (): Buffer => (own ??= Buffer.allocUnsafeSlow(Math.min(settings.chunkSize, total)));
    for (let piece = await pieces.take(); piece !== undefined; piece = await pieces.take()) {
      try {
        const count = await move(piece, memory);
        moved += count;
        if (count > 0) tell(run, 'copy', moved);
      } finally {
        piece.reading.done();
        piece.writing.done();
      }
    }
  });
  return moved;
}

/** Reads the target again and compares it. */
export async function verifyAll(target: Required<Pick<Target, 'read'>>, name: string, run: Run, digests: Digests): Promise<void> {
  const { settings, control, total } = run;
  const pieces = new Pieces({}, settings.chunkSize, total);
  let verified = 0;
  await inLanes(run, async () => {
    const own = Buffer.allocUnsafeSlow(Math.min(settings.chunkSize, total));
    for (let piece = await pieces.take(); piece !== undefined; piece = await pieces.take()) {
      const { position, length } = piece;
      control.signal.throwIfAborted();
      const memory = own.subarray(0, length);
      const count = await target.read(memory, position, control.signal);
      if (count < length || !digests.matches(position, memory)) throw mismatch(name, position);
      verified += length;
      tell(run, 'verify', verified);
    }
  });
}

/** What is not what was written: an I/O error, found by us. */
function mismatch(path: string, position: number): BlockDeviceError {
  return new BlockDeviceError({ errno: -constants.errno.EIO, syscall: 'verify', path, bytesTransferred: position });
}
