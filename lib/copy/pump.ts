// The lanes of a copy: each takes the next piece, reads it, writes it, and goes on. The first failure ends all of them;
// nothing is under way any more when it is reported.
import type { Digests } from './digests.js';
import type { Source, Target } from './ends.js';
import type { CopyProgress, CopySettings } from './options.js';
import { Pieces, type Piece, type Range, type Turn } from './pieces.js';

/** What the phases of a copy have in common. */
export interface Run {
  readonly settings: CopySettings;
  /** Aborts with the first failure, or with the caller's own signal. */
  readonly control: AbortController;
  readonly total: number;
}

/** What has been copied. */
export interface Tally {
  bytes: number;
  holes: number;
  cloned: number;
}

/** Runs `lane` as often at once as is asked for; waits for all of them, then throws what failed first. */
export async function inLanes({ control, settings }: Run, lane: () => Promise<void>): Promise<void> {
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

export function tell({ settings, total }: Run, phase: CopyProgress['phase'], bytes: number): void {
  settings.onProgress?.({ phase, bytes, total: total === Infinity ? undefined : total });
}

/** Copies what `tally` does not count yet, and counts it. */
export async function copyRest(source: Source, target: Target, run: Run, tally: Tally, digests: Digests | undefined): Promise<void> {
  const { settings, control, total } = run;
  const { signal } = control;
  const range: Range = { from: tally.bytes, to: total };
  // Who wants every zero written wants every hole read.
  const pieces = new Pieces(settings.sparse === 'off' ? {} : source, settings.chunkSize, range, signal);

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
  const move = async ({ position, length, isZero, reading, writing }: Piece, own: () => Buffer): Promise<number> => {
    if (isZero) {
      reading.done();
      if (!target.isZero) await inTurn(writing, () => target.zero(position, length, signal));
      tally.holes += length;
      return length;
    }
    // What a stream was given is the stream's: it may keep it.
    const memory = target.isStream ? Buffer.allocUnsafeSlow(length) : own().subarray(0, length);
    const data = await readOne(memory, position, reading);
    digests?.add(position, data);
    if (data.length > 0) await inTurn(writing, () => target.write(data, position, settings.sparse === 'detect', signal));
    return data.length;
  };
  await inLanes(run, async () => {
    let own: Buffer | undefined;
    const memory = (): Buffer => (own ??= Buffer.allocUnsafeSlow(Math.min(settings.chunkSize, total)));
    for (let piece = await pieces.take(); piece !== undefined; piece = await pieces.take()) {
      try {
        const count = await move(piece, memory);
        tally.bytes += count;
        if (count > 0) tell(run, 'copy', tally.bytes);
      } finally {
        piece.reading.done();
        piece.writing.done();
      }
    }
  });
}
