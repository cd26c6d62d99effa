// Rule: what a port has to change is in native/core/host. Elsewhere nothing names a call, a flag, a file or a macro that Linux alone
// has; docs/porting.md tells of those that do all the same, and the table below lists them.

/** File -> what it does where there is no Linux. */
const KNOWS_LINUX = new Map([
  ['lib/native/binding.ts', 'says that Linux is needed; chooses the binary for musl'],
  ['lib/errors.ts', 'names the process that has a lock by its command, and by its number where /proc does not tell'],
  ['lib/copy/place.ts', 'finds the disk of a partition and the file of a descriptor; what it does not find is taken for another one'],
  ['lib/cli/support/diagnosis.ts', 'asks how large a node is; where that is not told, the error gives no size'],
  ['lib/cli/support/streams.ts', 'finds the file behind standard input and where it stands; elsewhere it is read as a pipe'],
  ['lib/cli/workload/load/engines.ts', 'the engine fs reads and writes past the page cache where Node.js knows the flag'],
]);

/** Calls, types and flags that POSIX does not have and the headers of C++ may bring along unasked. */
const LINUX_NAMES = new RegExp(
  `\\b(${[
    '__linux__|__GLIBC__|__gnu_linux__',
    'SYS_\\w+|__NR_\\w+|syscall',
    'statx|preadv2|pwritev2|copy_file_range|fallocate\\w*|sync_file_range|readahead|vmsplice|sendfile',
    'memfd_create|eventfd\\w*|epoll_\\w+|signalfd|timerfd_\\w+|inotify_\\w+|fanotify_\\w+|pidfd_\\w+|userfaultfd|io_uring_\\w+|io_\\w+_event',
    'prctl|gettid|tgkill|sched_[gs]etaffinity|sched_getcpu|pthread_\\w+_np|cpu_set_t|mremap|getrandom|secure_getenv',
    'O_DIRECT|O_TMPFILE|O_PATH|F_OFD_\\w+|RWF_\\w+|FALLOC_\\w+|MAP_(POPULATE|NORESERVE|SYNC|HUGETLB)|MADV_\\w+|BLK[A-Z]+|FI(CLONE|EMAP)\\w*',
    'loff_t|off64_t|stat64',
  ].join('|')})\\b`,
  'g',
);

/** A literal that begins with a folder of Linux. */
const LINUX_PATHS = /["'`]\/(?:proc|sys|dev)\/[^"'`\s]*/g;

/** What TypeScript knows of Linux: its files, the question whether this is one, and its flags. */
const IN_LIB = [LINUX_PATHS, /\bprocess\.platform\s*[!=]==/g, /\bconstants\.O_DIRECT\b/g];

function uses(file, text, raw) {
  if (file.startsWith('lib/')) {
    const code = raw.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
    return IN_LIB.flatMap((pattern) => [...code.matchAll(pattern)]).map(([use]) => use);
  }
  const code = raw.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  return [...text.matchAll(LINUX_NAMES), ...code.matchAll(LINUX_PATHS)].map(([use]) => use);
}

/** @param {string} file @param {string} text without comments and literals @param {string} raw with them */
export function hostRule(file, text, raw) {
  if (!/^(lib|native\/(core|lab|serve|addon))\//.test(file) || file.startsWith('native/core/host/')) return [];
  const found = [...new Set(uses(file, text, raw))];
  if (KNOWS_LINUX.has(file)) return found.length > 0 ? [] : ['is listed in scripts/layers/host.mjs and knows nothing of Linux'];
  return found.map((use) => `${use}: of Linux alone, and outside core/host`);
}
