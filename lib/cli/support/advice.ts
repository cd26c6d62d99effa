// What somebody may have meant who calls a command that there is not.
import { existsSync } from 'node:fs';
import type { Command } from '../bundled/commander.js';
import { quoted } from './help.js';

/** Names that other tools have, and what does that here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  '-v': 'rumpblk --version',
  '-version': 'rumpblk --version',
  '-?': 'rumpblk --help',
  cat: 'rumpblk read FILE prints its bytes',
  cmp: 'rumpblk compare A B',
  cp: 'rumpblk copy SRC DST',
  create: 'rumpblk overlay create makes an overlay, truncate -s 1G disk.img an empty image',
  dd: 'rumpblk copy SRC DST, rumpblk read and rumpblk write',
  diff: 'rumpblk compare A B, rumpblk overlay diff FILE',
  dump: 'rumpblk read FILE -o OUTPUT',
  export: 'rumpblk serve FILE',
  extract: 'rumpblk read FILE --partition 2 -o OUTPUT',
  fdisk: 'rumpblk partitions FILE',
  man: 'rumpblk help COMMAND; man rumpblk, where npm has installed it globally',
  mount: 'nothing is mounted here: rumpblk serve FILE --socket PATH gives nbd-client and nbdfuse a disk to mount',
  parted: 'rumpblk partitions FILE',
  probe: 'rumpblk partitions FILE --probe',
  run: 'rumpblk record FILE --out LOG -- COMMAND',
  sfdisk: 'rumpblk partitions FILE',
  show: 'rumpblk info FILE',
  snapshot: 'rumpblk overlay create FILE -b BASE',
  stat: 'rumpblk info FILE',
  trim: 'rumpblk discard FILE -p POSITION -l LENGTH',
  umount: 'nothing is mounted here: end rumpblk serve by SIGTERM',
  version: 'rumpblk --version',
  wipe: 'rumpblk zero FILE -p POSITION -l LENGTH',
};

const FARTHEST = 2;
/** One of so many may be wrong. */
const LETTERS = 3;

/** Options that other tools have, as the first word of a command line. */
export function isOptionElsewhere(word: string): boolean {
  return word.startsWith('-') && Object.hasOwn(ELSEWHERE, word);
}

/** Fails with what to do instead of a command, or an option in its place, that there is not. */
export function unknownCommand(program: Command, word: string): never {
  const advice = adviceFor(program, word);
  const more = advice === undefined ? '' : ` (${advice})`;
  const kind = word.startsWith('-') ? 'option' : 'command';
  return program.error(`error: unknown ${kind} ${quoted(word)}${more}`, { code: 'commander.unknownCommand' });
}

/** What to do instead; undefined where that is anybody's guess. */
function adviceFor(program: Command, word: string): string | undefined {
  if (Object.hasOwn(ELSEWHERE, word)) return ELSEWHERE[word];
  const names = program.commands.flatMap((command) => [command.name(), ...command.aliases()]);
  const near = names.map((name) => ({ name, distance: distanceOf(word, name) })).sort((a, b) => a.distance - b.distance)[0];
  const isNear = near !== undefined && near.distance <= Math.min(FARTHEST, Math.max(1, Math.floor(near.name.length / LETTERS)));
  if (isNear) return `Did you mean ${near.name}?`;
  return program.parent === null && existsSync(word) ? `rumpblk info ${word} tells what it is` : undefined;
}

/** Letters that are put in, left out or changed between the two words; letters in another order are one slip. */
function distanceOf(one: string, other: string): number {
  if (one !== other && sorted(one) === sorted(other)) return 1;
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [i, letter] of Array.from(one).entries()) {
    const next = [i + 1];
    for (let j = 0; j < other.length; j += 1) {
      const changed = (row[j] ?? 0) + (letter === other[j] ? 0 : 1);
      next.push(Math.min(changed, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

function sorted(word: string): string {
  return Array.from(word).sort().join('');
}
