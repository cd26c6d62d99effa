// Writes records for ever and says which are acknowledged, for whoever ends it from outside; and where they have to be then.
// Compiled by compiled.ts for a process, or a machine, of its own, so it imports nothing of this folder.
import { writeSync } from 'node:fs';
import { BATCH_FLUSH, BATCH_WRITE, type BlockDevice, type OpenOptions, openSync } from 'rumpblk';

/** How a record is written and acknowledged. Each way has slots of its own. */
export const WAYS = ['sync', 'promise', 'flush', 'strategy', 'batch', 'batch flush', 'map'] as const;
export type Way = (typeof WAYS)[number];

export interface Job {
  file: string;
  access: 'auto' | 'mmap' | 'pio';
  cache: NonNullable<OpenOptions['cache']>;
  /** Nothing is acknowledged before it is durable. */
  durable: boolean;
  /** Acknowledges before it writes: what the check has to find. */
  early?: boolean;
}
/** A record is whole on the device: way and slot say where, turn says which of those written there. */
export type Ack = [way: number, slot: number, turn: number];

export const SLOTS = 16;
const SLOT = 8192;
const LENGTH = 4000;
export const SIZE = WAYS.length * SLOTS * SLOT;

/** Odd places for what may lie anywhere, sectors for the others. */
export function placeOf(way: number, slot: number): { position: number; length: number } {
  const start = (way * SLOTS + slot) * SLOT;
  return WAYS[way] === 'strategy' || WAYS[way]!.startsWith('batch')
    ? { position: start, length: 4096 }
    : { position: start + 104, length: LENGTH };
}

/** The word that follows each turn in a record: no other place has it. */
export const wordAt = (position: number): number => Math.imul(position + 1, 0x9e3779b1) >>> 0;

/** A record says in every 8 bytes which turn it is and where it belongs. */
export function record(way: number, slot: number, turn: number): Buffer {
  const { position, length } = placeOf(way, slot);
  const data = Buffer.alloc(length);
  for (let at = 0; at < length; at += 8) {
    data.writeUInt32LE(turn, at);
    data.writeUInt32LE(wordAt(position + at), at + 4);
  }
  return data;
}

type Write = (device: BlockDevice, slot: number, turn: number, job: Job) => Promise<void> | void;

const way = (name: Way): number => WAYS.indexOf(name);
const simple = (name: Way, slot: number, turn: number): [Buffer, number] => [
  record(way(name), slot, turn),
  placeOf(way(name), slot).position,
];

async function runBatch(device: BlockDevice, name: Way, slot: number, turn: number, durable: boolean): Promise<void> {
  const batch = device.createBatch({ depth: 2, arena: 4096 });
  const { position, length } = placeOf(way(name), slot);
  const isFlush = name === 'batch flush';
  batch.arena.set(record(way(name), slot, turn));
  batch.op.set([BATCH_WRITE, BATCH_FLUSH]);
  batch.blkno[0] = position / 512;
  batch.bcount[0] = length;
  batch.fua[0] = durable && !isFlush ? 1 : 0;
  const count = isFlush ? 2 : 1;
  const done = turn % 2 ? batch.runSync(count) : await batch.run(count);
  if (done !== count) throw new Error(`batch: ${batch.error.join()}`);
}

const WRITE: Record<Way, Write> = {
  sync: (device, slot, turn, { durable }) => {
    device.writeSync(...simple('sync', slot, turn), { fua: durable });
  },
  promise: async (device, slot, turn, { durable }) => {
    await device.write(...simple('promise', slot, turn), { fua: durable });
  },
  flush: async (device, slot, turn) => {
    await device.write(...simple('flush', slot, turn), { fua: false });
    await device.flush();
  },
  strategy: async (device, slot, turn, { durable }) => {
    const [data, position] = simple('strategy', slot, turn);
    await device.strategy({ op: 'write', blkno: position / 512, data, deferred: !durable });
  },
  batch: (device, slot, turn, { durable }) => runBatch(device, 'batch', slot, turn, durable),
  'batch flush': (device, slot, turn) => runBatch(device, 'batch flush', slot, turn, false),
  map: async (device, slot, turn) => {
    const [data, position] = simple('map', slot, turn);
    using view = device.mapSync(position, data.length);
    view.bytes.set(data);
    if (turn % 2) device.flushSync();
    else await device.flush();
  },
};

/** Writes on every way at once, until the end comes from outside. An acknowledgement is one line of JSON on descriptor 1. */
export async function writeForEver(job: Job): Promise<void> {
  const { file, access, cache } = job;
  const device = openSync(file, { mode: 'r+', access, cache });
  const acknowledge = (...ack: Ack): void => void writeSync(1, `${JSON.stringify(ack)}\n`);
  const loop = async (name: Way): Promise<void> => {
    for (let turn = 1; ; turn += 1) {
      for (let slot = 0; slot < SLOTS; slot += 1) {
        if (job.early) acknowledge(way(name), slot, turn);
        await new Promise((resolve) => (job.early ? setTimeout(resolve, 5) : setImmediate(resolve)));
        await WRITE[name](device, slot, turn, job);
        if (!job.early) acknowledge(way(name), slot, turn);
      }
    }
  };
  await Promise.all(WAYS.filter((name) => name !== 'map' || access !== 'pio').map(loop));
}

export interface Verdict {
  acknowledged: number;
  /** Acknowledged records of which not every word is there, or bytes that nobody wrote. */
  wrong: string[];
}

/** What of the acknowledged is in `image`. A record after the last acknowledged one of its slot may be there in parts. */
export function judge(image: Buffer, acks: readonly Ack[]): Verdict {
  const last = new Map<number, number>();
  for (const [each, slot, turn] of acks) last.set(each * SLOTS + slot, turn);
  const wrong: string[] = [];
  for (let key = 0; key < WAYS.length * SLOTS; key += 1) {
    const [each, slot] = [Math.floor(key / SLOTS), key % SLOTS];
    const { position, length } = placeOf(each, slot);
    const turn = last.get(key) ?? 0;
    for (let at = position; at < position + length; at += 8) {
      const [found, word] = [image.readUInt32LE(at), image.readUInt32LE(at + 4)];
      const isBlank = found === 0 && word === 0;
      if (isBlank ? turn === 0 : (found === turn || found === turn + 1) && word === wordAt(at)) continue;
      wrong.push(`${WAYS[each]!} slot ${slot}: turn ${turn} was acknowledged, at ${at} there is ${found}`);
      break;
    }
  }
  return { acknowledged: acks.length, wrong };
}
