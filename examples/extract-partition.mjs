// Copies one partition of a disk image to a file of its own, with a bar that shows how far it is.
// The disk may be divided by GPT, MBR or a BSD disklabel. Holes stay holes, and the copy is compared with what was read.
//
//   node extract-partition.mjs disk.img          lists the partitions
//   node extract-partition.mjs disk.img root root.img
import { open, readPartitions } from 'rumpblk';
import { copy } from 'rumpblk/copy';

const mib = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
const [path, name, target] = process.argv.slice(2);
if (path === undefined || (name !== undefined && target === undefined)) {
  console.error('usage: node extract-partition.mjs IMAGE [PARTITION FILE]');
  process.exit(2);
}

/** Prints one row for each partition: the names that `open` takes, where it begins, how large it is, its type. */
async function list() {
  const disk = await open(path);
  try {
    const { scheme, partitions, problems } = await readPartitions(disk);
    console.log(`${path}: ${mib(disk.size)}, ${scheme}`);
    for (const { name: id, label, start, size, typeName } of partitions) {
      console.log([id, label ?? '', mib(start), mib(size), typeName].join('\t'));
    }
    for (const { message } of problems) console.error(`problem: ${message}`);
  } finally {
    await disk.close();
  }
}

/** Draws the bar over itself on a terminal; elsewhere, as in a log, it says nothing. */
function draw({ phase, bytes, total }) {
  if (!process.stderr.isTTY) return;
  const share = total === 0 ? 1 : bytes / total;
  const bar = '#'.repeat(Math.round(share * 30)).padEnd(30, '.');
  process.stderr.write(`\r${phase.padEnd(6)} [${bar}] ${Math.round(share * 100)} %`);
}

async function extract() {
  const partition = await open(path, { partition: name });
  const started = performance.now();
  try {
    const { bytes, bytesHoles } = await copy(partition, target, { verify: true, onProgress: draw });
    const seconds = (performance.now() - started) / 1000;
    if (process.stderr.isTTY) process.stderr.write('\n');
    console.log(`${target}: ${mib(bytes)} in ${seconds.toFixed(1)} s, of which ${mib(bytesHoles)} are holes; verified`);
  } finally {
    await partition.close();
  }
}

await (name === undefined ? list() : extract());
