// The engine of a copy: lanes that each take the next chunk, read it, write it, and go on. The first failure ends all of
// them; nothing is under way any more when it is reported.
import { createHash } from 'node:crypto';
import { constants } from 'node:os';
import { BlockDeviceError } from '../../index.js';
import type { Source, Target } from './ends.js';
import type { CopyProgress, CopySettings } from './options.js';

const DIGEST = 'sha256';

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

/** What to wait for, and what to call when it is the next one's turn; calling it twice is fine. */
interface Turn {
  readonly before: Promise<void>;
  readonly done: () => void;
}

/** Lets each of several lanes do something in the order in which they took their chunks. */
class Turns {
  #last = Promise.resolve();

  take(): Turn {
    const before = this.#last;
    let done = (): void => undefined;
    this.#last = new Promise((resolve) => (done = resolve));
    return { before, done };
  }
}

/** Chunks of a copy, in order; each lane takes one after the other. */
class Chunks {
  #next = 0;
  #isOver = false;

  constructor(
    readonly size: number,
    readonly total: number,
  ) {}

  /** The next position and length; undefined when there are none left. */
  take(): { readonly position: number; readonly length: number } | undefined {
    const length = Math.min(this.size, this.total - this.#next);
    if (this.#isOver || length <= 0) return undefined;
    const position = this.#next;
    this.#next += length;
    return { position, length };
  }

  /** The source has ended: there are no more. */
  end(): void {
    this.#isOver = true;
  }
}

/** What was read, chunk by chunk, in little: 32 bytes each. */
export class Digests {
  readonly #digests: Buffer[] = [];

  set(index: number, data: Buffer): void {
    this.#digests[index] = createHash(DIGEST).update(data).digest();
  }

  matches(index: number, data: Buffer): boolean {
    return this.#digests[index]?.equals(createHash(DIGEST).update(data).digest()) === true;
  }
}

function tell({ settings, total }: Run, phase: CopyProgress['phase'], bytes: number): void {
  settings.onProgress?.({ phase, bytes, total: total === Infinity ? undefined : total });
}

/** Copies everything. -> bytes. */
export async function copyAll(source: Source, target: Target, run: Run, digests: Digests | undefined): Promise<number> {
  const { settings, control, total } = run;
  const { signal } = control;
  const chunks = new Chunks(settings.chunkSize, total);
  const [reads, writes] = [new Turns(), new Turns()];
  let moved = 0;

  const readOne = async (memory: Buffer, position: number, turn: Turn): Promise<Buffer> => {
    if (source.isStream) await turn.before;
    signal.throwIfAborted();
    const count = await source.read(memory, position, signal);
    if (count < memory.length) chunks.end();
    turn.done();
    return memory.subarray(0, count);
  };
  const writeOne = async (data: Buffer, position: number, turn: Turn): Promise<void> => {
    if (target.isStream) await turn.before;
    signal.throwIfAborted();
    if (data.length > 0) await target.write(data, position, settings.sparse, signal);
  };
  const lane = async (): Promise<void> => {
    let own: Buffer | undefined;
    for (let chunk = chunks.take(); chunk !== undefined; chunk = chunks.take()) {
      const { position, length } = chunk;
      const [reading, writing] = [reads.take(), writes.take()];
      try {
        // What a stream was given is the stream's: it may keep it.
        const memory = target.isStream ? Buffer.allocUnsafeSlow(length) : (own ??= Buffer.allocUnsafeSlow(length)).subarray(0, length);
        const data = await readOne(memory, position, reading);
        digests?.set(position / settings.chunkSize, data);
        await writeOne(data, position, writing);
        moved += data.length;
        if (data.length > 0) tell(run, 'copy', moved);
      } finally {
        reading.done();
        writing.done();
      }
    }
  };
  await inLanes(run, lane);
  return moved;
}

/** Reads the target again and compares it. */
export async function verifyAll(target: Required<Pick<Target, 'read'>>, name: string, run: Run, digests: Digests): Promise<void> {
  const { settings, control, total } = run;
  const chunks = new Chunks(settings.chunkSize, total);
  let verified = 0;
  await inLanes(run, async () => {
    const own = Buffer.allocUnsafeSlow(Math.min(settings.chunkSize, total));
    for (let chunk = chunks.take(); chunk !== undefined; chunk = chunks.take()) {
      const { position, length } = chunk;
      control.signal.throwIfAborted();
      const memory = own.subarray(0, length);
      const count = await target.read(memory, position, control.signal);
      if (count < length || !digests.matches(position / settings.chunkSize, memory)) throw mismatch(name, position);
      verified += length;
      tell(run, 'verify', verified);
    }
  });
}

/** What is not what was written: an I/O error, found by us. */
function mismatch(path: string, position: number): BlockDeviceError {
  return new BlockDeviceError({ errno: -constants.errno.EIO, syscall: 'verify', path, bytesTransferred: position });
}
