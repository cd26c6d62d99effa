// The log of Linux's dm-log-writes and of QEMU's blklogwrites: a superblock, then an entry of one sector for each write, with its data behind it.
// All numbers are little-endian; positions and lengths count sectors of the size that the superblock names.
import { badLog, truncatedLog, unfitLog } from './log-error.js';
import type { ByteReader } from './byte-reader.js';
import {
  traceHeader,
  count,
  inEntry,
  type TraceEncoder,
  type TraceEvent,
  type TraceHeader,
  type TraceLog,
  type TraceMark,
  type TraceRequest,
} from './event.js';

export const DM_MAGIC = 0x6a736677736872n;
const VERSION = 1n;
const FLUSH = 1n;
const FUA = 2n;
const DISCARD = 4n;
const MARK = 8n;
const KNOWN = 31n;
/** Bytes of an entry before the text of a mark. */
const ENTRY = 32;
/** A write in a log of others may be of any length: what is larger is given as several. */
const MOST_AT_ONCE = 64 * 1024 * 1024;
/** Zeros are written as data, so many at once. */
const ZEROS_AT_ONCE = 1024 * 1024;
const MOST_DISCARDED = 128 * 1024 * 1024;

/**
 * Reads a dm-log-writes log: as many entries as its superblock counts, whatever follows them. Each entry is a request that had completed
 * before the next one began; a flush that carries data is a flush and a write; a write of more than 64 MiB is several.
 *
 * @throws {BlockDeviceError} EINVAL no such log, another version, a bad sector size; EIO it ends within the superblock. Of `events`: EIO it
 *   ends too early, EINVAL an entry that cannot be
 */
export async function readDmLogWrites(bytes: ByteReader): Promise<TraceLog> {
  const superblock = viewOf(await bytes.take(28));
  if (superblock.byteLength < 28) throw truncatedLog('the superblock of the dm-log-writes log is not whole');
  if (superblock.getBigUint64(0, true) !== DM_MAGIC) throw badLog('no dm-log-writes log: another magic number');
  const version = superblock.getBigUint64(8, true);
  if (version !== VERSION) throw badLog(`version ${version} of dm-log-writes logs is not known`);
  const count = superblock.getBigUint64(16, true);
  const sector = superblock.getUint32(24, true);
  if (sector < 512 || sector > 65536 || (sector & (sector - 1)) !== 0) throw badLog(`a sector size of ${sector} bytes`);
  if ((await bytes.take(sector - 28)).length < sector - 28) throw truncatedLog('the superblock of the dm-log-writes log is not whole');
  const header = traceHeader([{ name: 'log' }], { sector, atomic: sector });
  return { header, events: entriesOf(bytes, sector, count) };
}

async function* entriesOf(bytes: ByteReader, sector: number, count: bigint): AsyncGenerator<TraceEvent, void> {
  let n = 0;
  const took = (): { n: number; done: number; time: number; device: number } => ({ n, done: (n += 2) - 1, time: 0, device: 0 });
  for (let i = 0n; i < count; i += 1n) {
    const block = await bytes.take(sector);
    if (block.length < sector) throw truncatedLog(`the log ends in entry ${i} of ${count}`);
    const entry = viewOf(block);
    const flags = entry.getBigUint64(16, true);
    if (flags > KNOWN) throw badLog(`entry ${i} has unknown flags: ${flags}`);
    if ((flags & MARK) !== 0n) {
      const length = Number(entry.getBigUint64(24, true));
      if (length > sector - ENTRY) throw badLog(`entry ${i}: a mark of ${length} bytes`);
      yield markOf(n, Buffer.from(block.subarray(ENTRY, ENTRY + length)).toString());
      n += 1;
      continue;
    }
    const position = bytesOf(entry.getBigUint64(0, true), sector, i);
    const length = bytesOf(entry.getBigUint64(8, true), sector, i);
    if (!Number.isSafeInteger(position + length)) throw badLog(`entry ${i} ends behind 2^53 bytes`);
    if ((flags & FLUSH) !== 0n) yield { op: 'flush', ...took(), position: 0, length: 0 };
    if (length === 0) continue;
    if ((flags & DISCARD) !== 0n) {
      yield inEntry({ op: 'discard', ...took(), position, length }, i);
      continue;
    }
    for (let at = 0; at < length;) {
      const size = Math.min(MOST_AT_ONCE, length - at);
      const data = await bytes.take(size);
      if (data.length < size) throw truncatedLog(`the log ends in the data of entry ${i} of ${count}`);
      const fua = (flags & FUA) === 0n ? {} : { fua: true };
      yield inEntry({ op: 'write', ...took(), position: position + at, length: size, ...fua, data }, i);
      at += size;
    }
  }
}

function bytesOf(sectors: bigint, sector: number, entry: bigint): number {
  const bytes = sectors * BigInt(sector);
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) throw badLog(`entry ${entry} lies behind 2^53 bytes`);
  return Number(bytes);
}

/** A mark that has data is JSON of both; any other text is the name. */
function markOf(n: number, written: string): TraceMark {
  const text = written.replace(/\0[^]*$/, '');
  if (text.startsWith('{"mark":')) {
    try {
      const { mark, data } = JSON.parse(text) as { mark?: unknown; data?: unknown };
      if (typeof mark === 'string') return { op: 'mark', n, time: 0, name: mark, data };
    } catch {
      // The name of a mark may be any text.
    }
  }
  return { op: 'mark', n, time: 0, name: text };
}

/** What else {@link dmLogWritesEncoder} is told. */
export interface DmLogWritesOptions {
  /** The device that is written, by its index; a log is about one. Default: the only one. */
  device?: number;
}

/**
 * Writes a dm-log-writes log of one device, in the order of completion, as a reader of it replays it: a flush stands where it began, so
 * that nothing is before it that it does not cover. Reads, requests that failed or did not complete, and the part of a write that did not move are left out.
 *
 * @throws {BlockDeviceError} ENOTSUP several devices and none named. Of add(): ENOTSUP a write without data or not of whole sectors; a mark whose name is too long
 */
export function dmLogWritesEncoder(header: TraceHeader, options: DmLogWritesOptions = {}): TraceEncoder {
  if (options.device === undefined && header.devices.length > 1)
    throw unfitLog(`a dm-log-writes log is about one device, and this one about ${header.devices.length}: name one`);
  return new Encoder(header.sector, options.device ?? 0);
}

/** An event that waits until no earlier one can come. */
interface Waiting {
  at: number;
  event: TraceRequest | TraceMark;
}

class Encoder implements TraceEncoder {
  readonly #sector: number;
  readonly #device: number;
  readonly leftOut = new Map<string, number>();
  #waiting: Waiting[] = [];
  #entries = 0n;

  constructor(sector: number, device: number) {
    this.#sector = sector;
    this.#device = device;
  }

  begin(): Uint8Array {
    return this.#superblock();
  }

  finalBegin(): Uint8Array {
    return this.#superblock();
  }

  *add(event: TraceEvent): Generator<Uint8Array, void, undefined> {
    if (event.op === 'base') return count(this.leftOut, 'base');
    // Whatever completed before this one began is in its final place: what comes now completes later.
    yield* this.#write((waiting) => waiting.at < event.n);
    if (event.op !== 'mark' && (event.device !== this.#device || !this.#keeps(event))) return;
    this.#waiting.push({ at: event.op === 'mark' || event.op === 'flush' ? event.n : (event.done as number), event });
  }

  *end(): Generator<Uint8Array, void, undefined> {
    yield* this.#write(() => true);
  }

  #keeps(event: TraceRequest): boolean {
    const why = whyLeftOut(event);
    if (why !== undefined) count(this.leftOut, why);
    return why === undefined;
  }

  *#write(isDue: (waiting: Waiting) => boolean): Generator<Uint8Array, void, undefined> {
    const due = this.#waiting.filter(isDue);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((waiting) => !isDue(waiting));
    for (const { event } of due.sort((a, b) => a.at - b.at)) yield* event.op === 'mark' ? this.#mark(event) : this.#request(event);
  }

  *#request(event: TraceRequest): Generator<Uint8Array, void, undefined> {
    const moved = event.moved ?? event.length;
    const flags = event.fua === true && event.op !== 'discard' ? FUA : 0n;
    const sectors = this.#sectors(event, event.position);
    if (event.op === 'flush') return yield this.#entry(0, 0, FLUSH);
    if (event.op === 'discard') {
      // Readers without a device that discards zero no more at once.
      for (let at = 0; at < moved; at += MOST_DISCARDED)
        yield this.#entry(sectors + at / this.#sector, this.#sectors(event, Math.min(MOST_DISCARDED, moved - at)), DISCARD);
      return;
    }
    if (event.op === 'zeroes') {
      const zeros = new Uint8Array(Math.min(ZEROS_AT_ONCE, moved));
      for (let at = 0; at < moved; at += ZEROS_AT_ONCE) {
        const size = Math.min(ZEROS_AT_ONCE, moved - at);
        yield this.#entry(sectors + at / this.#sector, this.#sectors(event, size), flags);
        yield zeros.subarray(0, size);
      }
      return;
    }
    if (event.data === undefined || event.data.length < moved)
      throw unfitLog(`event ${event.n} is a write without its data, which a dm-log-writes log needs`);
    yield this.#entry(sectors, this.#sectors(event, moved), flags);
    yield event.data.subarray(0, moved);
  }

  *#mark({ name, data }: TraceMark): Generator<Uint8Array, void, undefined> {
    const most = this.#sector - ENTRY - 1;
    let text = Buffer.from(data === undefined ? name : JSON.stringify({ mark: name, data }));
    if (data !== undefined && text.length > most) {
      count(this.leftOut, 'mark data');
      text = Buffer.from(name);
    }
    if (text.length > most) throw unfitLog(`a mark has ${text.length} bytes, and a dm-log-writes log of this sector size room for ${most}`);
    const block = this.#entry(0, 0, MARK, text.length);
    text.copy(block, ENTRY);
    yield block;
  }

  #sectors({ n }: TraceRequest, bytes: number): number {
    if (bytes % this.#sector !== 0) throw unfitLog(`event ${n} is not of whole sectors of ${this.#sector} bytes`);
    return bytes / this.#sector;
  }

  #entry(sector: number, sectors: number, flags: bigint, length = 0): Buffer {
    const block = Buffer.alloc(this.#sector);
    block.writeBigUInt64LE(BigInt(sector), 0);
    block.writeBigUInt64LE(BigInt(sectors), 8);
    block.writeBigUInt64LE(flags, 16);
    block.writeBigUInt64LE(BigInt(length), 24);
    this.#entries += 1n;
    return block;
  }

  #superblock(): Buffer {
    const block = Buffer.alloc(this.#sector);
    block.writeBigUInt64LE(DM_MAGIC, 0);
    block.writeBigUInt64LE(VERSION, 8);
    block.writeBigUInt64LE(this.#entries, 16);
    block.writeUInt32LE(this.#sector, 24);
    return block;
  }
}

/** Why a log of what is on a disk has nothing of a request. */
function whyLeftOut({ op, done, error, moved, length }: TraceRequest): string | undefined {
  if (op === 'read') return 'read';
  if (done === undefined) return `unfinished ${op}`;
  if (op === 'flush') return error === undefined ? undefined : 'failed flush';
  if ((moved ?? (error === undefined ? length : 0)) === 0) return error === undefined ? `empty ${op}` : `failed ${op}`;
  return undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
