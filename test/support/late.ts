// A disk in memory that answers late and out of order, from a thread of its own, as a remote one does: what the package
// has inside for tests of it.
import path from 'node:path';
import { jest } from '@jest/globals';
import { memory, type Medium } from 'rumpblk/media';
import { ROOT } from './child';

interface Binding {
  lateMedium(under: object, most: number, seed: number, held: boolean): object;
  lateState(late: object, held?: boolean): [now: number, peak: number];
}
interface Handles {
  MediumHandle: new (native: object, medium: Medium) => Medium;
  nativeMediumOf(value: unknown): object | undefined;
}

// Not by the package's name, which leads to nothing of its inside.
const { binding } = jest.requireActual<{ binding: Binding }>(path.join(ROOT, 'dist/native/binding.js'));
const { MediumHandle, nativeMediumOf } = jest.requireActual<Handles>(path.join(ROOT, 'dist/media/medium.js'));

export interface LateDisk {
  readonly medium: Medium;
  /** Requests under way at the medium. */
  readonly underWay: number;
  /** The most that ever were. */
  readonly peak: number;
  /** Answers nothing until release(). */
  hold(): void;
  release(): void;
}

/** @param most milliseconds that an answer takes at most */
export function lateDisk(size: number, { most = 5, seed = 1, held = false } = {}): LateDisk {
  const under = nativeMediumOf(memory({ size }));
  if (under === undefined) throw new Error('no medium');
  const native = binding.lateMedium(under, most * 1000, seed, held);
  return {
    medium: new MediumHandle(native, { kind: 'memory', name: 'late', size }),
    get underWay() {
      return binding.lateState(native)[0];
    },
    get peak() {
      return binding.lateState(native)[1];
    },
    hold: () => void binding.lateState(native, true),
    release: () => void binding.lateState(native, false),
  };
}
