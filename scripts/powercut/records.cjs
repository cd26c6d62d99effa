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
 * The writers by name. `file`: an image of the file system, else the second disk as it is. `form`: how a round is written and
 * made durable. Those with cache 'unsafe' promise nothing, and have to be seen to lose.
 */
const WRITERS = {
  auto: { file: true, open: { access: 'auto' }, form: 'writes' },
  mmap: { file: true, open: { access: 'mmap' }, form: 'writes' },
  pio: { file: true, open: { access: 'pio' }, form: 'writes' },
  direct: { file: true, open: { access: 'pio', direct: true }, form: 'writes' },
  through: { file: true, open: { access: 'auto', cache: 'writethrough' }, form: 'plain' },
  node: { file: false, open: { access: 'auto' }, form: 'writes' },
  'batch-auto': { file: true, open: { access: 'auto' }, form: 'batch' },
  'batch-mmap': { file: true, open: { access: 'mmap' }, form: 'batch' },
  'batch-pio': { file: true, open: { access: 'pio' }, form: 'batch' },
  view: { file: true, open: { access: 'mmap' }, form: 'view' },
  'unsafe-auto': { file: true, open: { access: 'auto', cache: 'unsafe' }, form: 'writes' },
  'unsafe-mmap': { file: true, open: { access: 'mmap', cache: 'unsafe' }, form: 'writes' },
};

const perRound = (name) => (WRITERS[name].form === 'batch' ? PER_BATCH : 1);

/** The slots that a round fills. */
function slotsOf(name, round) {
  const count = perRound(name);
  return Array.from({ length: count }, (_, i) => (round * count + i) % SLOTS);
}

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

module.exports = { BLOCK, IMAGE_BYTES, PER_BATCH, WRITERS, blockOf, lostSlots, slotsOf };
