// Measures how long reads and writes of a device take under load, and writes the percentiles as a page of HTML with a bar chart.
// The target is written over: give a scratch file or a disk in memory (the default).
//
//   node latency-report.mjs report.html                      64 MiB in memory
//   node latency-report.mjs report.html scratch.img 32 5     32 requests at a time, 5 seconds
import { writeFile } from 'node:fs/promises';
import { open } from 'rumpblk';
import { memory } from 'rumpblk/media';

const [page = 'report.html', path, depth = '8', seconds = '1'] = process.argv.slice(2);
const BLOCK = 4096;
const PERCENTILES = [50, 90, 99, 99.9, 99.99];

const device = await open(path ?? memory({ size: 64 * 1024 * 1024 }), { mode: 'r+' });
const blocks = Math.floor(device.size / BLOCK);

/** One of several that each have one request under way: seven reads, then a write, at pseudo-random places. */
async function work(seed, end) {
  const buffer = Buffer.alloc(BLOCK, seed);
  let [random, requests] = [seed, 0];
  while (performance.now() < end) {
    random = (random * 1664525 + 1013904223) % 2 ** 32;
    const position = (random % blocks) * BLOCK;
    await (requests % 8 === 7 ? device.write(buffer, position) : device.read(buffer, position));
    requests += 1;
  }
}

const us = (ns) => `${(ns / 1000).toFixed(ns < 10_000 ? 2 : 0)} µs`;

/** A table row for each percentile, with a bar on a scale of powers of ten. */
function chart(name, { count, mean, max, histogram }) {
  const width = (ns) => Math.max(1, Math.round(60 * Math.log10(Math.max(ns, 100) / 100)));
  const rows = PERCENTILES.map((percent) => [`p${percent}`, histogram.percentile(percent)]);
  const lines = [['mean', mean], ...rows, ['max', max]].map(
    ([label, ns]) => `<tr><th>${label}<td>${us(ns)}<td><i style="width:${width(ns)}px"></i>`,
  );
  return `<h2>${name}: ${count} requests</h2><table>${lines.join('\n')}</table>`;
}

try {
  device.stats(); // measures from here on
  const end = performance.now() + Number(seconds) * 1000;
  await Promise.all(Array.from({ length: Number(depth) }, (_, index) => work(index + 1, end)));
  const { read, write } = device.stats();
  const title = `${device.path}, ${depth} requests of ${BLOCK} bytes at a time, ${seconds} s`;
  await writeFile(
    page,
    `<!doctype html><meta charset="utf-8"><title>Latency</title>
<style>body{font:16px sans-serif;margin:2em}th,td{text-align:right;padding:2px 12px}i{display:block;height:12px;background:#2a6}</style>
<h1>Latency</h1><p>${title.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</p>
${chart('Reads', read)}
${chart('Writes', write)}
<p>The length of a bar grows by the logarithm of the time.</p>
`,
  );
  console.log(`${page}: reads p99 ${us(read.p99)}, writes p99 ${us(write.p99)}`);
} finally {
  await device.close();
}
