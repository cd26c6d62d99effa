// What the writers of the power cut test write, and what of it is found afterwards. Used on both sides of the cut.
// A writer has SLOTS slots of a block each. Round r fills one of them, or PER_BATCH of them, so that every sector tells
// which writer put it there, and in which round.
'use strict';

const SECTOR = 512;
const BLOCK = 4096;
const SLOTS = 64;
const PER_BATCH = 4;
const IMAGE_BYTES = SLOTS * BLOCK;

/**
 * The writers by name. `disk`: that of their image, of the file system on it, or the bare one as it is. `form`: how a round is written
 * and made durable. Those with cache 'unsafe' promise nothing, and have to be seen to lose. The journals are on a disk that takes its
 * time to empty its cache, lowest blocks first: the power goes while half of it is done.
 */
const WRITERS = {
  auto: { disk: 'quick', open: { access: 'auto' }, form: 'writes' },
  mmap: { disk: 'quick', open: { access: 'mmap' }, form: 'writes' },
  pio: { disk: 'quick', open: { access: 'pio' }, form: 'writes' },
  direct: { disk: 'quick', open: { access: 'pio', direct: true }, form: 'writes' },
  through: { disk: 'quick', open: { access: 'auto', cache: 'writethrough' }, form: 'plain' },
  node: { disk: 'bare', open: { access: 'auto' }, form: 'writes' },
  'batch-auto': { disk: 'quick', open: { access: 'auto' }, form: 'batch' },
  'batch-mmap': { disk: 'quick', open: { access: 'mmap' }, form: 'batch' },
  'batch-pio': { disk: 'quick', open: { access: 'pio' }, form: 'batch' },
  view: { disk: 'quick', open: { access: 'mmap' }, form: 'view' },
  'journal-auto': { disk: 'slow', open: { access: 'auto' }, form: 'journal' },
  'journal-mmap': { disk: 'slow', open: { access: 'mmap' }, form: 'journal' },
  'journal-pio': { disk: 'slow', open: { access: 'pio' }, form: 'journal' },
  'journal-direct': { disk: 'slow', open: { access: 'pio', direct: true }, form: 'journal' },
  'unsafe-auto': { disk: 'quick', open: { access: 'auto', cache: 'unsafe' }, form: 'writes' },
  'unsafe-mmap': { disk: 'quick', open: { access: 'mmap', cache: 'unsafe' }, form: 'writes' },
};

const isJournal = (name) => WRITERS[name].form === 'journal';

/** The slots that a round fills, and that are durable when it is acknowledged: of a journal those of its records, in the upper half. */
function slotsOf(name, round) {
  if (isJournal(name)) return Array.from({ length: PER_BATCH }, (_, i) => SLOTS / 2 + ((round * PER_BATCH + i) % (SLOTS / 2)));
  const count = WRITERS[name].form === 'batch' ? PER_BATCH : 1;
  return Array.from({ length: count }, (_, i) => (round * count + i) % SLOTS);
}

/** The slot of a round of a journal that says that its records count; durable at some later time. */
const commitOf = (round) => round % (SLOTS / 2 / PER_BATCH);

/** Fills `sector` with what round `round` of the writer puts there. */
function fillSector(sector, name, round, slot, index) {
  sector.fill(`${name} ${round} ${slot} ${index};`, 0, SECTOR, 'latin1');
}

/** The block of one slot. */
function blockOf(name, round, slot) {
  const block = Buffer.alloc(BLOCK);
  for (let i = 0; i < BLOCK / SECTOR; i += 1) fillSector(block.subarray(i * SECTOR, (i + 1) * SECTOR), name, round, slot, i);
  return block;
}

/** The round that a sector is of, 0 for one that is of none. */
function roundOf(sector, name, slot, index) {
  const round = Number(/^[\w-]+ (\d+) /.exec(sector.toString('latin1', 0, 40))?.[1] ?? 0);
  if (round === 0) return 0;
  const whole = Buffer.alloc(SECTOR);
  fillSector(whole, name, round, slot, index);
  return whole.equals(sector) ? round : 0;
}

/** Slots of an image that have a sector older than the last acknowledged round that filled them. */
function lostSlots(image, name, acknowledged) {
  const required = new Map();
  for (let round = Math.max(1, acknowledged - SLOTS); round <= acknowledged; round += 1) {
    for (const slot of slotsOf(name, round)) required.set(slot, round);
  }
  const lost = [];
  for (const [slot, round] of required) {
    for (let i = 0; i < BLOCK / SECTOR; i += 1) {
      const at = slot * BLOCK + i * SECTOR;
      const found = roundOf(image.subarray(at, at + SECTOR), name, slot, i);
      if (found >= round) continue;
      lost.push({ slot, sector: i, round, found });
      break;
    }
  }
  return { checked: required.size, lost };
}

/** The oldest round that a whole slot is of: 0 where a sector is of none. */
function wholeRound(image, name, slot) {
  const rounds = Array.from({ length: BLOCK / SECTOR }, (_, i) => {
    const at = slot * BLOCK + i * SECTOR;
    return roundOf(image.subarray(at, at + SECTOR), name, slot, i);
  });
  return Math.min(...rounds);
}

/** Commits of a journal that are on the disk, some sector of them, without all of their records. */
function brokenCommits(image, name) {
  if (!isJournal(name)) return [];
  const broken = [];
  for (let slot = 0; slot < SLOTS / 2 / PER_BATCH; slot += 1) {
    for (let i = 0; i < BLOCK / SECTOR; i += 1) {
      const at = slot * BLOCK + i * SECTOR;
      const round = roundOf(image.subarray(at, at + SECTOR), name, slot, i);
      const missing = round === 0 ? [] : slotsOf(name, round).filter((record) => wholeRound(image, name, record) < round);
      if (missing.length === 0) continue;
      broken.push({ commit: round, missing });
      break;
    }
  }
  return broken;
}

module.exports = { BLOCK, IMAGE_BYTES, PER_BATCH, WRITERS, blockOf, brokenCommits, commitOf, isJournal, lostSlots, slotsOf };
