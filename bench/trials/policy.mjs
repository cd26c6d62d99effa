// Access 'auto' on a cold map against pread alone, without Node: what choosing between map and pread may cost and gains.
import { floors, pages } from '../support/native.mjs';

const MARKS = { first: 10_000, middle: 100_000, all: 400_000 };
const TESTS = { pread: 'pread', core: 'auto', 'core-seed': 'auto, 16 × 1 MiB', copy: 'map, lazily', remap: 'seed-style' };

function checks(short) {
  const rows = [];
  for (const [mark, count] of Object.entries(MARKS)) {
    if (short && mark === 'all') continue;
    const max = mark === 'first' ? 1.5 : 1.15;
    for (const of of ['auto', 'auto, 16 × 1 MiB']) {
      rows.push({ label: `time of pread, ${of}, ${count} requests`, kind: 'time', of, to: 'pread', metric: mark, max });
    }
    rows.push({ label: `time of pread, map lazily, ${count} requests`, kind: 'time', of: 'map, lazily', to: 'pread', metric: mark });
  }
  rows.push({ label: 'against seed-style remapping, 400000 requests', kind: 'speed', of: 'auto', to: 'seed-style', metric: 'sample' });
  return rows;
}

/** One run of the program gives all contenders at all marks; each has a new map or device. Remapping runs a sample. */
function measure(context, pattern) {
  const options = { pattern, cold: 1, stamps: 1, passes: 1, seed: context.seed + context.round };
  const ops = context.short ? MARKS.middle : MARKS.all;
  const tests = Object.keys(TESTS).filter((test) => test !== 'remap');
  const timed = floors(context.file, { ...options, tests: tests.join(), ops, marks: `${MARKS.first},${MARKS.middle}` });
  const sample = floors(context.file, { ...options, tests: 'remap', ops: 4000 });
  const figures = {};
  for (const test of tests) {
    const [first, middle, all] = timed[test][0];
    figures[TESTS[test]] = { first, middle, ...(all !== undefined && { all }), sample: all ?? middle };
  }
  figures[TESTS.remap] = { sample: sample.remap[0][0] };
  return figures;
}

function row(pattern, { pageSize, ...rest } = {}) {
  return {
    id: `policy-${pattern}${pageSize === 'small' ? '-small-folios' : ''}`,
    title: `auto against pread from a cold map, 4 KiB, ${pattern}${pageSize === 'small' ? ', page cache in single pages' : ''}`,
    places: ['disk', 'memory'],
    files: ['big'],
    native: true,
    passes: 1,
    ...rest,
    checks: checks(false),
    contenders: (context) => {
      if (pageSize === 'small') {
        pages('drop', context.file);
        pages('fill', context.file, 'small=1');
        context.closers.push(() => {
          pages('drop', context.file);
          pages('fill', context.file);
        });
      }
      const figures = measure(context, pattern);
      return Object.fromEntries(Object.entries(figures).map(([name, values]) => [name, { figures: () => values }]));
    },
  };
}

const SMALL = {
  pageSize: 'small',
  places: ['disk'],
  short: false,
  skip: ({ fileSystem }) => (fileSystem === 'tmpfs' ? 'tmpfs has no disk' : undefined),
};

/** What one fault, one pread and one copy cost here: where the constants of native/core/access/map_policy.h come from. */
const cost = {
  id: 'page-costs',
  title: 'a first touch, a copy and a pread of 4 KiB',
  places: ['disk', 'memory'],
  files: ['big'],
  native: true,
  short: false,
  passes: 1,
  checks: [
    ['ns of the first copy from 64 KiB', 'firstTouch'],
    ['KiB that it maps', 'mappedKib'],
    ['ns of a copy from mapped pages', 'warmCopy'],
    ['ns of a pread', 'pread'],
    ['ns to remap 1 MiB', 'remap'],
    ['ms to populate 1 GiB', 'populateMsPerGib'],
  ].map(([label, metric]) => ({ label, kind: 'value', of: 'page', metric })),
  contenders: (context) => ({ page: { figures: () => pages('cost', context.file) } }),
};

/** The same file in single pages of the page cache, and from the disk. */
const smallCost = {
  ...cost,
  id: 'page-costs-small-folios',
  title: `${cost.title}, page cache in single pages`,
  ...SMALL,
  rounds: 3,
  contenders: (context) => {
    pages('drop', context.file);
    pages('fill', context.file, 'small=1');
    context.closers.push(() => pages('fill', context.file));
    context.closers.push(() => pages('drop', context.file));
    return cost.contenders(context);
  },
};

const WAYS = ['pread', 'map', 'mapRandom'];

const coldCost = {
  id: 'page-costs-cold',
  title: 'a first read of 4 KiB from the disk',
  places: ['disk'],
  files: ['big'],
  native: true,
  short: false,
  passes: 1,
  rounds: 3,
  skip: SMALL.skip,
  checks: WAYS.flatMap((of) => [
    { label: `ns, ${of}`, kind: 'value', of },
    { label: `pages in memory afterwards, ${of}`, kind: 'value', of, metric: 'pages' },
  ]),
  contenders: (context) => {
    const figures = pages('cold', context.file, 'ops=500');
    context.closers.push(() => pages('fill', context.file));
    return Object.fromEntries(WAYS.map((way) => [way, { figures: () => figures[way] }]));
  },
};

export default [
  row('uniform'),
  row('zipf', { short: false }),
  row('sequential', { short: false }),
  row('uniform', SMALL),
  row('zipf', SMALL),
  row('sequential', SMALL),
  cost,
  smallCost,
  coldCost,
];
