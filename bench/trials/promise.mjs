// Reads with promises: at depth 1 and 32, answered on the spot, and through a worker.
import { isRight } from '../support/images.mjs';
import { bareCopy, floorContenders, openDevice, openFd, openFileHandle, readThrough, ring } from '../support/context.mjs';
import { BLOCK, callbackLanes, promiseLanes } from '../support/lanes.mjs';

/** Checks what the last request of each lane has brought. */
export const checked = (lanes) => ({
  ...lanes,
  after: () => lanes.memory.filter((memory, lane) => lanes.last[lane] !== undefined && !isRight(memory, lanes.last[lane])).length,
});

export async function peers(context, at, depth) {
  const handle = await openFileHandle(context);
  const fd = openFd(context);
  return {
    'fs.promises': checked(promiseLanes(at, depth, (memory, position) => handle.read(memory, 0, BLOCK, position))),
    'fs.read callback': checked(callbackLanes(at, depth, fd)),
  };
}

/** Reads of a loop in C, so many under way as asked for. */
export const ringFloor = (context, options) =>
  floorContenders(context, ['ring'], { label: () => 'C io_uring', pattern: 'uniform', depth: 32, ...options });

const AGAINST_PROMISES = { label: 'against fs.promises', kind: 'speed', of: 'read', to: 'fs.promises' };
const AGAINST_CALLBACK = { label: 'against fs.read callbacks', kind: 'speed', of: 'read', to: 'fs.read callback' };
const CPU = { label: 'CPU of fs.promises', kind: 'time', metric: 'cpu', of: 'read', to: 'fs.promises' };

function inline(depth, max) {
  return {
    id: `promise-4k-depth-${depth}`,
    title: `promise read, 4 KiB, whole image at random, depth ${depth}`,
    places: ['disk', 'memory'],
    files: ['big'],
    native: true,
    checks: [
      { label: 'ns over the bare copy call', kind: 'more', of: 'read', to: 'bare copy call', max },
      AGAINST_PROMISES,
      AGAINST_CALLBACK,
      CPU,
    ],
    contenders: async (context) => {
      const device = openDevice(context);
      readThrough(device, context.size);
      const at = ring(context, 'uniform');
      return {
        ...(await peers(context, at, depth)),
        read: checked(promiseLanes(at, depth, (memory, position) => device.read(memory, position))),
        'bare copy call': bareCopy(context, at),
      };
    },
  };
}

/**
 * Through a worker every time. Under access 'mmap' a promise form never copies on the JavaScript thread: with windows that
 * cover the image the worker copies from a map. Under 'pio' on a file system without RWF_NOWAIT the worker calls pread.
 */
function queued(how, places, options) {
  return {
    id: `promise-4k-queued-${how}`,
    title: `promise read, 4 KiB, depth 32, through a worker that ${how === 'copy' ? 'copies from a map' : 'calls pread'}`,
    places,
    files: ['big'],
    native: true,
    checks: [
      { label: 'time of an io_uring loop in C, depth 32', kind: 'time', of: 'read', to: 'C io_uring', max: 2 },
      AGAINST_CALLBACK,
      AGAINST_PROMISES,
      CPU,
    ],
    contenders: async (context) => {
      const device = openDevice(context, options(context));
      readThrough(device, context.size);
      const at = ring(context, 'uniform');
      return {
        ...(await peers(context, at, 32)),
        read: checked(promiseLanes(at, 32, (memory, position) => device.read(memory, position))),
        ...ringFloor(context, { ops: context.short ? 20_000 : 50_000 }),
      };
    },
  };
}

export default [
  inline(1, 350),
  inline(32, 600),
  queued('copy', ['disk', 'memory'], ({ size }) => ({ access: 'mmap', driver: { windowSize: size / 16, windowCount: 16 } })),
  queued('pread', ['memory'], () => ({ access: 'pio' })),
];
