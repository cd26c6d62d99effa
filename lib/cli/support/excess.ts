// A command line with more words than the command takes: what they may have been meant for.
import { existsSync } from 'node:fs';
import type { Command } from '../bundled/commander.js';
import { quoted } from './help.js';

/** Names of partitions: 2, p2, s1, s1a, a. */
const PARTITION = /^(?:[ps]?\d{1,3}[a-p]?|[a-p])$/;

/** Refuses more arguments than are declared, with what to do instead. */
export function refuseMore(command: Command): void {
  const takes = command.registeredArguments;
  if (takes.some(({ variadic }) => variadic) || command.commands.length > 0) return;
  command.allowExcessArguments(true).hook('preAction', (_, called) => {
    const { args } = called;
    if (called !== command || args.length <= takes.length) return;
    const count = `${takes.length} ${takes.length === 1 ? 'argument' : 'arguments'}`;
    const advice = adviceOn(command, args);
    command.error(`error: too many arguments for '${command.name()}': ${count}, and not ${args.length}${advice}`, {
      code: 'commander.excessArguments',
    });
  });
}

function adviceOn(command: Command, args: readonly string[]): string {
  const takes = command.registeredArguments.length;
  const has = (flag: string): boolean => command.options.some(({ long }) => long === flag);
  const rest = args.slice(takes);
  const [next = ''] = rest;
  // A name with spaces in it, which the shell has taken apart.
  const whole = args.map((_, index) => args.slice(0, index + 1).join(' ')).find((name, index) => index > 0 && existsSync(name));
  if (whole !== undefined) return `; a name with spaces in it has to be quoted: ${quoted(whole)}`;
  if (has('--partition') && rest.length === 1 && PARTITION.test(next)) return `; a partition is --partition ${next}`;
  if (has('--output') && rest.length === 1) return `; the file to write is -o ${next}`;
  if (has('--input') && rest.length === 1) return `; the file to read is -i ${next}`;
  return '';
}
