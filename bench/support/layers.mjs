// From samples to layers: where in the stack of a request the processor was. A sample is the function that ran and, inside
// the kernel, those that had called it, as `perf script -F ip,sym,dso` prints them. A sample counts once, as self time.

/** In the order of a request's way down; `name` is what a reader sees. */
export const LAYERS = [
  { id: 'copy', name: 'copy' },
  { id: 'core', name: 'core' },
  { id: 'addon', name: 'addon, Node-API' },
  { id: 'node', name: 'JavaScript, V8, Node' },
  { id: 'libuv', name: 'libuv' },
  { id: 'libc', name: 'libc' },
  { id: 'entry', name: 'in and out of the kernel' },
  { id: 'kernelCopy', name: 'kernel: copy' },
  { id: 'kernelFile', name: 'kernel: files, page cache' },
  { id: 'kernelFault', name: 'kernel: faults, maps' },
  { id: 'kernelWait', name: 'kernel: futex, scheduler' },
  { id: 'kernelBlock', name: 'kernel: block layer' },
  { id: 'interrupt', name: 'interrupts, preemption' },
  { id: 'other', name: 'other' },
];

/** What the processor was made to do while the request waited; whatever is called from there. */
const FROM_OUTSIDE = [
  ['kernelFault', /exc_page_fault/],
  ['interrupt', /^(a?sm_)?(sysvec|common_interrupt)|softirq|^irqentry_exit|^exit_to_user_mode_loop/],
];

/** Functions of the kernel, by their names in Linux 5.10 to 6.18: the first line that knows one has it. */
const KERNEL = [
  ['kernelCopy', /^_*copy_(to|from)_|rep_movs|^copy_(folio|page)_|^fault_in_(iov|read|write)/],
  ['kernelFault', /fault|mmap|munmap|madvise|mincore|vma|pte|pmd|pud|p4d|pgd|rmap|tlb|^(mas|mt|zap|unmap|next_uptodate)_|unmapped_area/],
  ['kernelWait', /futex|sched|wake|switch|eventfd|epoll|^ep_|enqueue|dequeue|^pick_|hrtimer/],
  ['kernelBlock', /^_*(blk|bio|submit_bio|virt|vring|vp_|sbitmap|elv|dd_|wbt|rq_qos|scsi|nvme|disk_|dma_|loop_)|_plug/],
  ['kernelFile', /^_*(ext4|jbd2|xfs|btrfs|shmem|filemap|generic_|xas|xa_|folio|vfs|fput|fget|fdget|file_|inode|pagecache|page_cache)/],
  ['kernelFile', /readahead|writepages|atime|writeback|^(rw_verify|security|fsnotify|current_time|block_|mpage_|iomap|ksys_p|do_fsync)/],
];

/** The way in and out, if it is what ran. */
const ENTRY = /^entry_|syscall|^_*x64_sys|^exit_to_user/;

/** libc's wrappers of system calls do nothing themselves: a sample there fell due in the kernel while interrupts were off. */
const WRAPPER = /^_*(GI_+)?(libc_)?(preadv?|pwritev?|read|write|fdatasync|mmap|munmap|madvise|syscall|epoll_p?wait|futex_\w+)(64)?(v2)?$/;

const match = (rules, symbol) => rules.find(([, pattern]) => pattern.test(symbol))?.[0];

/** The kernel itself, or a module of it. */
const inKernel = ({ object }) => /^\[(kernel|guest)\.|\.ko\b|^\[(?!vdso|vsyscall|anon|unknown|heap|stack)\w+\]$/.test(object);

function ofKernel(frames) {
  for (const { symbol } of frames) {
    const layer = match(FROM_OUTSIDE, symbol);
    if (layer !== undefined) return layer;
  }
  for (const { symbol } of frames) {
    const layer = match(KERNEL, symbol);
    if (layer !== undefined) return layer;
  }
  return ENTRY.test(frames[0].symbol) ? 'entry' : 'other';
}

/** Of the addon, or of the C program of the bench, which link-time optimisation has put the core into. */
function ofOurs(symbol, object) {
  if (/floors$/.test(object)) return /blk_bench::(?!.*CoreContender)/.test(symbol) ? 'other' : 'core';
  return /blk_addon::|Napi::|^napi_/.test(symbol) ? 'addon' : 'core';
}

function ofProgram({ symbol, object }) {
  if (/^blk::.*\bCopy(Large)?(Avx512|Avx2|Sse2|Portable|Bytes)|^_*mem(cpy|move)/.test(symbol)) return 'copy';
  if (/\.node$|\/floors$/.test(object)) return ofOurs(symbol, object);
  if (/\/lib(c|pthread|stdc\+\+|m|gcc_s)(?=[.-])|\/ld-|^\[vdso\]$/.test(object)) return WRAPPER.test(symbol) ? 'entry' : 'libc';
  if (/^uv_|^worker$/.test(symbol)) return 'libuv';
  if (/^(napi_|v8impl::)/.test(symbol)) return 'addon';
  // What the compilers of V8 have made has no file: perf names one that it might find symbols in.
  return /perf-\d+\.map$|\/node$|^(\/\/|\[)anon/.test(object) ? 'node' : 'other';
}

/** The id of the layer of one sample: `frames` of `{ symbol, object }`, the one that ran first. */
export function layerOf(frames) {
  return inKernel(frames[0]) ? ofKernel(frames.filter(inKernel)) : ofProgram(frames[0]);
}

/** The samples in the text of `perf script`: of each, its frames. */
export function parseSamples(text) {
  return text
    .split(/\n\s*\n/)
    .map((block) => [...block.matchAll(/^\s*[\da-f]+ (.+) \((.+)\)$/gm)].map(([, symbol, object]) => ({ symbol, object })))
    .filter((frames) => frames.length > 0);
}

/** `samples` counted by `keyOf`, the most frequent first, as shares of all. */
export function sharesBy(samples, keyOf) {
  const counts = new Map();
  for (const sample of samples) {
    const key = keyOf(sample);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([key, count]) => [key, count / samples.length]);
}
