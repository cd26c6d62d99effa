// A medium as JavaScript holds it: what a device is made of where that is no host file.
import { inspect, type InspectOptions } from 'node:util';
import { markCopy } from '../arguments/misuse.js';
import type { NativeMedium } from '../native/binding.js';

/** Where the bytes of a disk lie, apart from host files. It is gone, and what it holds with it, when neither a variable nor a minor nor a device has it any more. */
export interface Medium {
  /** Tells which kind it is. */
  readonly kind: 'memory' | 'null' | 'overlay' | 'nbd';
  /** Names it where a host file has its path: in errors, and as the `path` of devices. */
  readonly name: string;
  /** Gives its size, in bytes. */
  readonly size: number;
}

/** Gives the native medium of one that this package made; undefined for everything else. */
export let nativeMediumOf: (value: unknown) => NativeMedium | undefined;

/** Ends what a medium stands for: it gives no native one any more. */
export let endMedium: (medium: MediumHandle) => void;
/** Tells whether a medium was ended. */
export let isEnded: (value: unknown) => boolean;

/** Holds a native medium. Copies of the object, as those in another thread, are none. */
export class MediumHandle implements Medium {
  readonly kind: Medium['kind'];
  readonly name: string;
  declare readonly size: number;
  readonly #native: NativeMedium;

  static readonly #ended = new WeakSet<MediumHandle>();

  static {
    markCopy(MediumHandle);
    endMedium = (medium) => {
      MediumHandle.#ended.add(medium);
    };
    isEnded = (value) => MediumHandle.#ended.has(value as MediumHandle);
    nativeMediumOf = (value) => (typeof value === 'object' && value !== null && #native in value ? value.#native : undefined);
  }

  /** `size`: bytes, or what tells them, of a medium whose size is not known yet. */
  constructor(native: NativeMedium, { kind, name, size }: Omit<Medium, 'size'> & { readonly size: number | (() => number) }) {
    this.kind = kind;
    this.name = name;
    Object.defineProperty(this, 'size', typeof size === 'number' ? { value: size, enumerable: true } : { get: size, enumerable: true });
    this.#native = native;
    Object.freeze(this);
  }

  /** What `console.log` shows. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { kind, name, size } = this;
    return `Medium ${inspect({ kind, name, size }, options)}`;
  }
}
