// Tally: what one thread has done, counted as it goes. A copy of the counts lies in shared memory for the progress line.
import { Latency, type LatencyData } from '../result/latency.js';

/** Places in the shared counts of a thread. */
export const LIVE = { readIos: 0, readBytes: 1, writeIos: 2, writeBytes: 3, length: 4 } as const;

export interface SideData {
  bytes: number;
  short: number;
  latency: LatencyData;
}

export interface TallyData {
  read: SideData;
  write: SideData;
  sync: LatencyData;
}

interface Side {
  bytes: number;
  short: number;
  latency: Latency;
}

export class Tally {
  readonly sync = new Latency();
  readonly #read: Side = { bytes: 0, short: 0, latency: new Latency() };
  readonly #write: Side = { bytes: 0, short: 0, latency: new Latency() };

  constructor(private readonly live: Float64Array) {}

  /** One request is done. `milliseconds`: how long it took. */
  done(write: boolean, asked: number, moved: number, milliseconds: number): void {
    const side = write ? this.#write : this.#read;
    side.latency.record(milliseconds * 1e6);
    side.bytes += moved;
    if (moved < asked) side.short += 1;
    const at = write ? LIVE.writeIos : LIVE.readIos;
    this.live[at] = side.latency.count;
    this.live[at + 1] = side.bytes;
  }

  toData(): TallyData {
    const side = ({ bytes, short, latency }: Side): SideData => ({ bytes, short, latency: latency.toData() });
    return { read: side(this.#read), write: side(this.#write), sync: this.sync.toData() };
  }
}
