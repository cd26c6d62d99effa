// Random layouts of other tools, a random change of each: by rumpblk, and by a tool. What rumpblk changes is what the format needs for that
// change, in no sector that the tool leaves alone, and a third program reads the same from both. RUMPBLK_LAYOUT_SEED replays a run,
// RUMPBLK_LAYOUTS says how many of each tool.
import { copyFileSync, readFileSync } from 'node:fs';
import { expect } from '@jest/globals';
import { openSync, readPartitionsSync, writePartitionsSync, type EntryToWrite, type PartitionEntry, type PartitionTable } from 'rumpblk';
import { seedOf } from '../support/chance';
import { LINUX, SFDISK, sfdiskRows } from '../support/disks';
import { Draw, SECTORS, TOOLS, type Change, type Span, type Tool } from '../support/layouts';
import { testWith } from '../support/peers';
import { pattern, rig } from '../support/rig';

const bench = rig();
const LAYOUTS = Number(process.env['RUMPBLK_LAYOUTS'] ?? 8);
const SWAP = '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F';
const LEGACY_BOOT = 4n;
const seed = seedOf('LAYOUT');
process.stderr.write(`partitions-layouts: RUMPBLK_LAYOUT_SEED=${seed}\n`);

const flat = (table: PartitionTable): PartitionEntry[] =>
  table.partitions.flatMap((entry) => [entry, ...(entry.table === undefined ? [] : flat(entry.table))]);
const numberOf = ({ name }: { name: string }): number => Number(name.slice(1));
const isExtended = ({ table }: PartitionEntry): boolean => table !== undefined;

/** A gap of 256 sectors or more that nothing lies in, in sectors, with 64 left in front of it. */
function gapIn(entries: readonly { start: number; size: number }[], begin: number, end: number): Span | undefined {
  const sorted = [...entries].map(({ start, size }) => [start / 512, (start + size) / 512] as const).sort(([a], [b]) => a - b);
  let from = begin;
  for (const [start, stop] of [...sorted, [end, end] as const]) {
    const first = Math.ceil(from / 64) * 64 + 64;
    if (start - first >= 192) return { start: first, size: 128 };
    from = Math.max(from, stop);
  }
  return undefined;
}

function drawAdd(tool: Tool, table: PartitionTable, file: string): Change | undefined {
  const extended = table.partitions.find(isExtended);
  if (extended?.table !== undefined) {
    const span = gapIn(extended.table.partitions, extended.start / 512, (extended.start + extended.size) / 512);
    return span && { kind: 'add', number: 5 + extended.table.partitions.length, span, inside: true };
  }
  if (table.scheme !== 'gpt') return undefined;
  const header = readFileSync(file).subarray(512, 1024);
  // fdisk offers no sector in a gap of less than 2048 of them.
  const ends = table.partitions.map(({ start, size }) => (start + size) / 512);
  const begin = tool.name === 'fdisk' ? Math.max(...ends) : Number(header.readBigUInt64LE(40));
  const span = gapIn(table.partitions, begin, Number(header.readBigUInt64LE(48)) + 1);
  const number = table.partitions.findIndex(({ index }, i) => index !== i) + 1 || table.partitions.length + 1;
  return span && number <= header.readUInt32LE(80) ? { kind: 'add', number, span, inside: false } : undefined;
}

function drawChange(draw: Draw, tool: Tool, table: PartitionTable, file: string): Change {
  const kind = draw.of(tool.kinds(table.scheme));
  const entry = draw.of(flat(table).filter((one) => !isExtended(one)));
  const number = numberOf(entry);
  switch (kind) {
    case 'add':
      return drawAdd(tool, table, file) ?? { kind: 'remove', number };
    case 'type':
      return { kind, number, type: table.scheme === 'gpt' ? SWAP : draw.of([0x82, 0x07, 0x0c]) };
    case 'name':
      return { kind, number, name: `changed${draw.whole(0, 99)}` };
    case 'shrink':
      return { kind, number, size: entry.size / 512 - 32 };
    case 'flag':
    case 'remove':
      return { kind, number };
  }
}

/** The table with one change; what was read is a table to write. */
function changed(table: PartitionTable, change: Change): PartitionTable {
  const edit = (entry: PartitionEntry): PartitionEntry[] => {
    const inside = entry.table === undefined ? entry : { ...entry, table: changed(entry.table, change) };
    if (numberOf(entry) !== change.number || change.kind === 'add') return [inside];
    if (change.kind === 'remove') return [];
    if (change.kind === 'type') return [{ ...entry, type: change.type }];
    if (change.kind === 'name') return [{ ...entry, label: change.name }];
    if (change.kind === 'shrink') return [{ ...entry, size: change.size * 512 }];
    return [table.scheme === 'gpt' ? { ...entry, attributes: (entry.attributes ?? 0n) | LEGACY_BOOT } : { ...entry, bootable: true }];
  };
  const partitions: EntryToWrite[] = table.partitions.flatMap(edit);
  if (change.kind === 'add' && change.inside === (table.scheme === 'ebr')) {
    const { start, size } = change.span;
    partitions.push({ start: start * 512, size: size * 512, type: table.scheme === 'gpt' ? LINUX : 0x83 });
  }
  return { ...table, partitions: partitions as PartitionEntry[] };
}

/** Bytes [from, to) that a change may touch. */
type Bytes = [from: number, to: number];

/** The sectors of the chain of logical partitions, in its order. */
function linksOf(image: Buffer): number[] {
  const slots = [446, 462, 478, 494].filter((at) => [5, 15].includes(image.readUInt8(at + 4)));
  const base = slots[0] === undefined ? 0 : image.readUInt32LE(slots[0] + 8);
  const links: number[] = [];
  for (let at = base; at !== 0 && !links.includes(at);) {
    links.push(at);
    const next = [446, 462].map((slot) => at * 512 + slot).find((slot) => [5, 15].includes(image.readUInt8(slot + 4)));
    at = next === undefined ? 0 : base + image.readUInt32LE(next + 8);
  }
  return links;
}

/** What the format needs for a change of partition `number`. */
function needed(before: Buffer, after: Buffer, scheme: string, number: number): Bytes[] {
  if (scheme === 'gpt') {
    return [512, before.length - 512].flatMap((header): Bytes[] => {
      const size = before.readUInt32LE(header + 84);
      const entry = Number(before.readBigUInt64LE(header + 72)) * 512 + (number - 1) * size;
      return [
        [header + 16, header + 20],
        [header + 88, header + 92],
        [entry, entry + size],
      ];
    });
  }
  if (number < 5) return [[446 + (number - 1) * 16, 462 + (number - 1) * 16]];
  // Its link, and the one that leads there.
  return [linksOf(before), linksOf(after)]
    .flatMap((links) => links.slice(Math.max(0, number - 6), number - 4))
    .map((link): Bytes => [link * 512 + 446, link * 512 + 512]);
}

function differences(a: Buffer, b: Buffer): number[] {
  const bytes: number[] = [];
  for (let sector = 0; sector < a.length; sector += 512) {
    if (a.compare(b, sector, sector + 512, sector, sector + 512) === 0) continue;
    for (let at = sector; at < sector + 512; at++) if (a[at] !== b[at]) bytes.push(at);
  }
  return bytes;
}
const sectorsOf = (bytes: readonly number[]): number[] => [...new Set(bytes.map((at) => Math.floor(at / 512)))];

/** What sfdisk reads, without identifiers that are made up. */
function rowsOf(file: string, change: Change): object[] {
  return sfdiskRows(file).map(({ uuid, name, ...row }) => ({
    ...row,
    node: undefined,
    ...(change.kind !== 'add' && { uuid, name }),
  }));
}

/** Makes the change by the tool. -> false for a new partition in a gap that the tool does not offer: the format is the judge alone. */
async function offers(tool: Tool, file: string, scheme: string, change: Change): Promise<boolean> {
  try {
    await tool.change(file, scheme, change);
    return true;
  } catch (error) {
    if (change.kind !== 'add') throw error;
    return false;
  }
}

/** One layout of the tool, one change of it, and what both make of that. -> whether the tool made it, too. */
async function changeLayout(tool: Tool, layout: number, draw: Draw): Promise<boolean> {
  const [ours, theirs] = [bench.image(pattern(SECTORS * 512)), bench.sparse(0)];
  await tool.make(ours, draw);
  copyFileSync(ours, theirs);
  const before = readFileSync(ours);
  const device = openSync(ours, { mode: 'r+' });
  const table = readPartitionsSync(device) as PartitionTable;
  writePartitionsSync(device, table);
  const change = drawChange(draw, tool, table, ours);
  const where = JSON.stringify({ tool: tool.name, layout, scheme: table.scheme, change });
  const report = (what: unknown): unknown => [where, what];
  expect(report(differences(before, readFileSync(ours)))).toEqual(report([]));

  writePartitionsSync(device, changed(table, change));
  device.closeSync();
  const offered = await offers(tool, theirs, table.scheme, change);
  const after = readFileSync(ours);
  const made = differences(before, after);
  const allowed = needed(before, after, table.scheme, change.number);
  expect(report(made.length > 0)).toEqual(report(true));
  expect(report(made.filter((at) => !allowed.some(([from, to]) => from <= at && at < to)))).toEqual(report([]));
  if (!offered) return false;
  expect(report(rowsOf(ours, change))).toEqual(report(rowsOf(theirs, change)));
  // In which sector of the gap a new link lies each tool has its own mind.
  if (change.kind === 'add' && change.inside) return true;
  const touched = sectorsOf(differences(before, readFileSync(theirs)));
  expect(report(sectorsOf(made).filter((sector) => !touched.includes(sector)))).toEqual(report([]));
  return true;
}

for (const [place, tool] of TOOLS.entries()) {
  testWith(SFDISK, ...tool.needs)(
    `12: a change of a layout of ${tool.name} changes what the format needs for it`,
    async () => {
      const layouts = Array.from({ length: LAYOUTS }, (_, i) => changeLayout(tool, i, new Draw(seed + 1000 * place + i)));
      // Until the last one has ended, whatever becomes of the others.
      await Promise.allSettled(layouts);
      const refused = (await Promise.all(layouts)).filter((offered) => !offered);
      expect(refused.length).toBeLessThan(LAYOUTS / 4);
    },
    600_000,
  );
}
