// Two native threads on one device against one, without Node; memcpy and pread beside it show what this machine gives.
import { floorContenders } from '../support/context.mjs';

const TESTS = ['core', 'core@2', 'memcpy', 'memcpy@2', 'pread', 'pread@2'];

function row(id, title, file, min, rest = {}) {
  return {
    id,
    title,
    places: ['disk'],
    files: [file],
    native: true,
    ...rest,
    checks: [
      { label: 'two threads against one, core', kind: 'speed', of: 'C core@2', to: 'C core', min },
      { label: 'the same, memcpy from a map', kind: 'speed', of: 'C memcpy@2', to: 'C memcpy' },
      { label: 'the same, pread', kind: 'speed', of: 'C pread@2', to: 'C pread' },
      { label: 'time of C memcpy from a map', kind: 'time', of: 'C core', to: 'C memcpy' },
    ],
    contenders: (context) => floorContenders(context, TESTS, { pattern: 'uniform', ops: context.short ? 20_000 : 100_000 }),
  };
}

export default [
  row('threads-hot', 'native sync read, 4 KiB, 16 MiB hot, on 2 threads', 'hot', 1.7),
  row('threads', 'native sync read, 4 KiB, whole image, on 2 threads', 'big', undefined, { short: false, places: ['disk', 'memory'] }),
];
