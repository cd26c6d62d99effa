// DeviceHandle: the owner of one native device. It decides what "closed" means, ends requests, and outlives a BlockDevice that nobody closed.
import { ACCESS, NO_TOKEN, type Eventual, type Failure, type NativeDevice, type NativeRequests } from '../native/binding.js';
import { untilAborted } from './abort.js';
import { EBUSY, closedError, fromFailure } from '../errors.js';

type AccessName = keyof typeof ACCESS;
const ACCESS_NAMES = Object.keys(ACCESS) as AccessName[];

const kept = new WeakMap<object, readonly object[]>();

/** Keeps `others` alive for as long as `holder` is: a device that was collected would be closed under it. */
export function keepAlive(holder: object, ...others: readonly object[]): void {
  kept.set(holder, others);
}

/** Owns a native device; errors take `path` and `minor` from it. It never reaches its BlockDevice, which could not be collected then. */
export class DeviceHandle {
  readonly native: NativeDevice;
  readonly requests: NativeRequests;
  readonly path: string;
  readonly minor: number;
  readonly size: number;
  readonly access: AccessName;
  readonly mode: 'r' | 'r+';
  /** Gives the seed of the faults that its requests may meet: of the plan in force, or of the generator. */
  readonly seedOfFaults: (byPlan: boolean) => number | undefined;
  /** Is called once the native device is closed, however that went. */
  afterClose: () => void = () => undefined;
  #closed = false;
  #closing: Promise<void> | undefined;
  #lastToken = NO_TOKEN;

  constructor(native: NativeDevice, mode: 'r' | 'r+', seedOfFaults: (byPlan: boolean) => number | undefined) {
    const [minor, size, access, path] = native.info();
    this.native = native;
    this.requests = native.requests();
    this.minor = minor;
    this.size = size;
    this.access = ACCESS_NAMES[access] ?? 'auto';
    this.path = path.toString();
    this.mode = mode;
    this.seedOfFaults = seedOfFaults;
  }

  /** True from the first call of close() on. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Throws EBADF when the device is closed. */
  requireOpen(method: string): void {
    if (this.#closed) throw closedError('device', method);
  }

  /** Makes the token of one request; throws the reason of a signal that is aborted already, as it said when it was asked. */
  token(signal: AbortSignal | undefined, aborted = signal?.aborted === true): number {
    if (signal === undefined) return NO_TOKEN;
    if (aborted) throw signal.reason;
    return ++this.#lastToken;
  }

  /** Waits for a request that did not finish at once. */
  settle<T>(begun: Eventual<T | Failure>, signal: AbortSignal | undefined, token: number): Eventual<T | Failure> {
    return signal === undefined ? begun : untilAborted(begun, signal, () => this.native.cancel(token));
  }

  /** Closes the native device once: every call returns the same promise, or after a failed flush one that has nothing left to do. */
  close(): Promise<void> {
    return (this.#closing ??= this.#finish());
  }

  /** Closes the native device inline; it stays open when a request is in flight. */
  closeSync(): void {
    if (this.#closed) return;
    const outcome = this.native.closeSync();
    if (typeof outcome === 'number' || outcome[0] !== EBUSY) {
      this.#disown();
      this.afterClose();
    }
    if (typeof outcome !== 'number') throw fromFailure(outcome, this);
  }

  /** Closes the native device when `owner` is garbage collected while it is open. */
  closeWith(owner: object): void {
    registry.register(owner, this, this);
  }

  async #finish(): Promise<void> {
    if (this.#closed) return;
    this.#disown();
    const outcome = await this.native.close();
    this.afterClose();
    if (typeof outcome === 'number') return;
    this.#closing = undefined;
    throw fromFailure(outcome, this);
  }

  #disown(): void {
    this.#closed = true;
    registry.unregister(this);
  }
}

const registry = new FinalizationRegistry<DeviceHandle>((handle) => {
  noteForgotten(handle.path);
  handle
    .close()
    .catch((error: unknown) =>
      warn('RUMPBLK_FLUSH_FAILED', `Block device '${handle.path}' lost data when it was collected: ${String(error)}`),
    );
});

let forgotten = 0;
let told = 0;

/** Names the first device that was forgotten. Of others it tells how many there are by now, once their number has doubled. */
function noteForgotten(path: string): void {
  forgotten += 1;
  if (forgotten === 1) {
    told = 1;
    warn('RUMPBLK_DEVICE_NOT_CLOSED', `Block device '${path}' was garbage collected without being closed`);
  } else if (forgotten === 2 * told) {
    // Many are collected together: they are told together.
    setImmediate(() => {
      told = forgotten;
      warn('RUMPBLK_DEVICE_NOT_CLOSED', `${forgotten} block devices so far were garbage collected without being closed`);
    });
  }
}

function warn(code: string, message: string): void {
  process.emitWarning(message, { type: 'ResourceWarning', code });
}
