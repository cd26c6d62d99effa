// Reads with promises: at depth 1 and 32, answered on the spot, and through a worker.
import { isRight } from '../support/images.mjs';
import { openDevice, openFd, openFileHandle, readThrough, ring } from '../support/context.mjs';
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

const AGAINST_PROMISES = { label: 'against fs.promises', kind: 'speed', of: 'read', to: 'fs.promises' };
const AGAINST_CALLBACK = { label: 'against fs.read callbacks', kind: 'speed', of: 'read', to: 'fs.read callback' };
const CPU = { label: 'CPU of fs.promises', kind: 'time', metric: 'cpu', of: 'read', to: 'fs.promises' };

function inline(depth, targets) {
  return {
    id: `promise-4k-depth-${depth}`,
    title: `promise read, 4 KiB, whole image at random, depth ${depth}`,
    places: ['disk', 'memory'],
    files: ['big'],
    checks: [{ ...AGAINST_PROMISES, min: targets.promises }, { ...AGAINST_CALLBACK, min: targets.callback }, CPU],
    contenders: async (context) => {
      const device = openDevice(context);
      readThrough(device, context.size);
      const at = ring(context, 'uniform');
      return {
        ...(await peers(context, at, depth)),
        read: checked(promiseLanes(at, depth, (memory, position) => device.read(memory, position))),
      };
    },
  };
}

/**
 * Through a worker every time. Under access 'mmap' a promise form never copies on the JavaScript thread: with windows that
 * cover the image the worker copies from a map. Under 'pio' on a file system without RWF_NOWAIT the worker calls pread.
 */
function queued(how, places, options, min) {
  return {
    id: `promise-4k-queued-${how}`,
    title: `promise read, 4 KiB, depth 32, through a worker that ${how === 'copy' ? 'copies from a map' : 'calls pread'}`,
    places,
    files: ['big'],
    checks: [{ ...AGAINST_CALLBACK, min }, AGAINST_PROMISES, CPU],
    contenders: async (context) => {
      const device = openDevice(context, options(context));
      readThrough(device, context.size);
      const at = ring(context, 'uniform');
      return {
        ...(await peers(context, at, 32)),
        read: checked(promiseLanes(at, 32, (memory, position) => device.read(memory, position))),
      };
    },
  };
}

export default [
  inline(1, { promises: 15 }),
  inline(32, { promises: 10, callback: 1.7 }),
  queued('copy', ['disk', 'memory'], ({ size }) => ({ access: 'mmap', driver: { windowSize: size / 16, windowCount: 16 } }), 0.9),
  queued('pread', ['memory'], () => ({ access: 'pio' }), 0.9),
];
