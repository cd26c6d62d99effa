// Required by node before jest in a sanitizer run. Decides what the programs get that the tests start: each would inherit
// the runtime in LD_PRELOAD, its options, and the addon that needs it.
'use strict';

const childProcess = require('node:child_process');

// The programs of others leak at their end, and strace leaves no room for the leak check, so it stays with this process.
if (process.env.ASAN_OPTIONS) process.env.ASAN_OPTIONS += ':detect_leaks=0';

// The programs of others do without: they crash under ThreadSanitizer, and have faults of their own for the other one, or
// hang in it.
const NOT_FOR_OTHERS = /^(LD_PRELOAD|RUMPBLK_PREBUILD)=/;

for (const name of ['execFileSync', 'spawnSync']) {
  const start = childProcess[name];
  childProcess[name] = (program, args, options) => {
    if (program === process.execPath) return start(program, args, options);
    const env = Object.entries(options?.env ?? process.env).filter(([key]) => !NOT_FOR_OTHERS.test(`${key}=`));
    return start(program, args, { ...options, env: Object.fromEntries(env) });
  };
}

// Under ThreadSanitizer so do shells and the like, and what they start in turn; under the other one those alone that hang in it
// now and then, at their end.
const DOES_WITHOUT = process.env.TSAN_OPTIONS ? (file) => file !== process.execPath : (file) => /^(qemu-|nbd|fio)/.test(file);
const { spawn } = childProcess.ChildProcess.prototype;
childProcess.ChildProcess.prototype.spawn = function (options) {
  const envPairs = DOES_WITHOUT(options.file) ? options.envPairs.filter((pair) => !NOT_FOR_OTHERS.test(pair)) : options.envPairs;
  return spawn.call(this, { ...options, envPairs });
};
