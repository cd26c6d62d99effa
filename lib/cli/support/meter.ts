// A line on the terminal that tells what a server does: its clients, requests and bytes of the last second.
import type { NbdServer, NbdServerStats } from '../../nbd.js';
import { clearStatus, hasStatusLine, showStatus, statusWidth } from './report.js';
import { formatBytes, formatCount } from './units.js';

const EVERY = 1000;
const MILLISECONDS = 1000;

export class Meter {
  readonly #server: NbdServer;
  readonly #timer: NodeJS.Timeout | undefined;
  #before: NbdServerStats;
  #at = performance.now();

  /** Shows nothing where stderr is no terminal. */
  constructor(server: NbdServer) {
    this.#server = server;
    this.#before = server.stats();
    if (hasStatusLine()) this.#timer = setInterval(() => showStatus(this.#line().slice(0, statusWidth())), EVERY).unref();
  }

  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    clearStatus();
  }

  #line(): string {
    const [now, stats] = [performance.now(), this.#server.stats()];
    const [seconds, before] = [(now - this.#at) / MILLISECONDS, this.#before];
    [this.#at, this.#before] = [now, stats];
    const rate = (key: keyof NbdServerStats): number => Math.round((stats[key] - before[key]) / seconds);
    const { connections } = this.#server;
    const clients = `${connections} client${connections === 1 ? '' : 's'}`;
    const moved = `${formatBytes(rate('bytesRead'))}/s read, ${formatBytes(rate('bytesWritten'))}/s written`;
    return `${clients}, ${formatCount(rate('requests'))} requests/s, ${moved}`;
  }
}
