// npm run bench -- --profile: what it makes of the text of perf. The lines are recorded ones, shortened; perf itself is not run.
import { describe, expect, test } from '@jest/globals';
import { reportsFrom } from '../support/child';

/** Evaluates an expression over functions of bench/support. */
async function evaluate(expression: string, args: unknown): Promise<any> {
  const script = `
    import { layerOf, parseSamples, sharesBy } from './bench/support/layers.mjs';
    import { countsOf } from './bench/support/perf.mjs';
    import { fillProfile, renderProfile } from './bench/support/profile-table.mjs';
    import { PROFILED } from './bench/support/profile.mjs';
    import { allRows } from './bench/support/rows.mjs';
    const args = JSON.parse(process.env.RUMPBLK_TEST_ARGS);
    console.log(JSON.stringify(${expression}));`;
  const [value] = await reportsFrom(script, { module: true, args });
  return value;
}

const ADDON = '/app/build/Release/rumpblk.node';
const LIBC = '/usr/lib/x86_64-linux-gnu/libc.so.6';
const NODE = '/usr/bin/node';
const sample = (...frames: [symbol: string, object?: string][]): string =>
  frames.map(([symbol, object = '[kernel.kallsyms]'], index) => `\tffffffff81baee${index}0 ${symbol} (${object})\n`).join('');

const PREAD = [['__x64_sys_pread64'], ['do_syscall_64'], ['entry_SYSCALL_64_after_hwframe'], ['__libc_pread', LIBC]] as [string, string?][];
const CASES: [layer: string, text: string][] = [
  ['copy', sample(['blk::(anonymous namespace)::CopyLargeAvx2', ADDON], ['blk::BoundedStrategy::Submit', ADDON])],
  ['copy', sample(['__memmove_avx512_unaligned_erms', LIBC], ['[unknown]', '[unknown]'])],
  ['core', sample(['blk::RunRequest', ADDON], ['v8impl::(anonymous namespace)::FunctionCallbackWrapper::Invoke', NODE])],
  ['core', sample(['blk_bench::TimedContender<blk_bench::CoreContender>::Run', '/app/native/build-bench/floors'])],
  ['other', sample(['blk_bench::TimedContender<blk_bench::RemapContender>::Run', '/app/native/build-bench/floors'])],
  ['addon', sample(['blk_addon::(anonymous namespace)::Call<&(napi_value__* blk_addon::BytesSync<(blk::BufOp)0>)>', ADDON])],
  ['addon', sample(['napi_get_cb_info', NODE])],
  ['addon', sample(['napi_get_cb_info@plt', ADDON])],
  ['node', sample(['[unknown]', '/tmp/perf-14262.map'], ['Builtins_InterpreterEntryTrampoline', NODE])],
  ['node', sample(['node::fs::Read', NODE])],
  ['libuv', sample(['uv__fs_work', NODE], ['worker', NODE])],
  ['libc', sample(['_int_malloc', LIBC])],
  ['libc', sample(['operator new', '/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30'])],
  ['libc', sample(['__vdso_clock_gettime', '[vdso]'])],
  // Interrupts are off on the way out of the kernel: what fell due there is seen behind the instruction that went in.
  ['entry', sample(['__libc_pread', LIBC], ['uv_fs_read', NODE])],
  ['entry', sample(['do_syscall_64'], ['entry_SYSCALL_64_after_hwframe'], ['__libc_pread', LIBC])],
  ['kernelCopy', sample(['_copy_to_iter'], ['copy_page_to_iter'], ['filemap_read'], ['vfs_read'], ...PREAD)],
  ['kernelFile', sample(['xas_load'], ['filemap_get_read_batch'], ['filemap_read'], ...PREAD)],
  // A function that anybody calls belongs to who called it.
  ['kernelFile', sample(['kmem_cache_alloc_noprof'], ['alloc_buffer_head'], ['folio_alloc_buffers'], ['ext4_block_write_begin'])],
  ['kernelWait', sample(['_raw_spin_unlock_irqrestore'], ['try_to_wake_up'], ['wake_up_q'], ['futex_wake'], ['do_futex'])],
  ['kernelWait', sample(['_raw_spin_unlock_irq'], ['eventfd_write'], ['vfs_write'], ['ksys_write'])],
  ['kernelWait', sample(['finish_task_switch.isra.0'], ['__schedule'], ['schedule'], ['futex_do_wait'], ['__futex_wait'])],
  ['kernelBlock', sample(['iowrite16'], ['vp_notify'], ['virtqueue_notify'], ['virtio_queue_rq'], ['blk_mq_dispatch_rq_list'])],
  ['kernelFault', sample(['xas_load'], ['next_uptodate_folio'], ['filemap_map_pages'], ['do_fault'], ['exc_page_fault'])],
  ['kernelFault', sample(['smp_call_function_many_cond'], ['flush_tlb_mm_range'], ['unmap_region'], ['__x64_sys_munmap'])],
  // The processor was taken away, whatever it did before.
  ['interrupt', sample(['finish_task_switch.isra.0'], ['__schedule'], ['irqentry_exit_to_user_mode'], ['asm_sysvec_apic_timer_interrupt'])],
  ['interrupt', sample(['__slab_free'], ['handle_softirqs'], ['asm_sysvec_apic_timer_interrupt'], ['ext4_block_write_begin'])],
  ['other', sample(['get_task_mm'], ['getrusage'], ['__x64_sys_getrusage'], ['do_syscall_64'])],
  ['other', sample(['[unknown]', '[unknown]'])],
];

const ALL = CASES.map(([, text]) => text).join('\n');

describe('samples', () => {
  test('go to the layer of the function that ran, or of who called it when anybody does', async () => {
    const found = await evaluate('parseSamples(args).map((frames) => [layerOf(frames), frames[0].symbol])', ALL);
    expect(found).toEqual(CASES.map(([layer, text]) => [layer, /ffff\S+ (.+) \(/.exec(text)?.[1]]));
  });

  test('each counts once, whatever called it, and the shares are of all', async () => {
    const shares: [string, number][] = await evaluate('sharesBy(parseSamples(args), layerOf)', ALL);
    expect(Object.fromEntries(shares)).toMatchObject({ copy: 2 / CASES.length, kernelWait: 3 / CASES.length });
    expect(shares.reduce((sum, [, share]) => sum + share, 0)).toBeCloseTo(1);
  });
});

const STAT = `# started on Wed Nov 25 04:48:41 2026

12,,page-faults,126250599,100.00,,
3,,context-switches,126250599,100.00,,
64010,,raw_syscalls:sys_enter,126250599,100.00,,
64000,,syscalls:sys_enter_pread64,126264073,100.00,,
0,,syscalls:sys_enter_futex,126266263,100.00,,
`;

test('counts of perf stat: totals, and system calls by name without those that did not occur', async () => {
  const counts = { calls: 64010, faults: 12, switches: 3, byName: { pread64: 64000 } };
  expect(await evaluate('countsOf(args)', STAT)).toEqual(counts);
});

const REPORT = {
  machine: { cpus: 2, cpu: 'a processor', kernel: 'Linux 6', node: 'v20' },
  rows: [
    {
      id: 'sync-4k',
      where: 'ext4',
      title: 'sync read',
      contenders: [
        {
          name: 'readSync',
          load: 0.5,
          cpu: 230.4,
          samples: 2000,
          layers: { copy: 0.612, entry: 0.0123, other: 0.0001 },
          counts: { calls: 1.03, faults: 0, switches: 0, byName: { pread64: 0.02, mincore: 0.001, futex: 1 } },
        },
      ],
    },
  ],
};

test('the table: a line a contender between the markers, and nothing else is touched', async () => {
  const before = 'above\n<!-- profile -->\n\nold\n\n<!-- end -->\nbelow\n<!-- bench x -->\nkept\n<!-- end -->\n';
  const text: string = await evaluate('fillProfile(args.before, args.report)', { before, report: REPORT });
  const [line] = text.split('\n').filter((candidate) => candidate.includes('readSync'));
  expect(line?.split('|').map((cell) => cell.trim())).toEqual([
    '',
    ...['`sync-4k` (ext4)', 'readSync', '230 ns'],
    ...['61', '', '', '', '', '', '1.2', '', '', '', '', '', '', ''],
    '1.00 futex, 0.02 pread64, 0.01 others',
    '',
  ]);
  expect(text).toMatch(/^above\n<!-- profile -->\n\n2 × a processor, .*load average 0\.50 to 0\.50/);
  expect(text).toMatch(/\n<!-- end -->\nbelow\n<!-- bench x -->\nkept\n<!-- end -->\n$/);
  expect(text).not.toContain('old');
});

test('on a terminal: shares with names, and why a row has none', async () => {
  const rows = [...REPORT.rows, { id: 'cold', where: 'ext4', title: 'reads', failed: 'no perf', contenders: [] }];
  const text: string = await evaluate('renderProfile(args)', rows);
  expect(text).toContain('copy 61 % · in and out of the kernel 1.2 %\n');
  expect(text).toContain('FAILED: no perf');
});

test('the rows that are profiled unless told otherwise are rows of the bench', async () => {
  const names: string[] = await evaluate("allRows().map(({ id }) => id + '@ext4').filter((name) => PROFILED.test(name))", null);
  expect(names).toHaveLength(11);
  expect(await evaluate("PROFILED.test('sync-4k@tmpfs')", null)).toBe(false);
});
