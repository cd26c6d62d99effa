// rumpblk help: what a command does; and the page of a tool that was called without one.
import type { Command } from './bundled/commander.js';
import { unknownCommand } from './support/advice.js';
import { exampleText, explain, widthOf, wrapped, type Example } from './support/help.js';

/** What people want of the tool, and how they get it. */
export const FIRST_STEPS: readonly Example[] = [
  { what: 'See what an image or a disk is, and what lies on it.', line: 'rumpblk info disk.img' },
  { what: 'Get a partition out, and put it back.', line: 'rumpblk read disk.img --partition 2 -o root.img' },
  { what: '', line: 'rumpblk write disk.img --partition 2 -i root.img' },
  { what: 'Copy a disk, holes as holes; into another format.', line: 'rumpblk copy /dev/sdb disk.qcow2 -O qcow2' },
  { what: 'Tell whether two hold the same.', line: 'rumpblk compare disk.img /dev/sdb' },
  { what: 'Serve an image to QEMU, nbdcopy, fio and others.', line: 'rumpblk serve disk.img --socket /tmp/disk.sock' },
  { what: 'Try a program against power cuts.', line: "rumpblk crashtest disk.img --run './work {}' -- ./check {}" },
];

const HELP_HELP = {
  examples: [
    { what: 'Explain a command.', line: 'rumpblk help read' },
    { what: 'Explain a command of a command.', line: 'rumpblk help overlay create' },
  ],
};

/** The page of a tool that was called without a command. */
export function startPage(): string {
  return `Usage: rumpblk <command> [options]

${exampleText(FIRST_STEPS, widthOf(process.stderr))}

${wrapped("'rumpblk --help' lists all commands, 'rumpblk help COMMAND' explains one.", widthOf(process.stderr))}
`;
}

/** Declares the command. */
export function addHelp(program: Command): void {
  const help = program.command('help').description('Explain a command.').argument('[command...]', 'its name, as in: overlay create');
  explain(help, HELP_HELP).action((words: readonly string[]) => {
    let command = program;
    for (const word of words) {
      const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
      if (next === undefined) return unknownCommand(command, word);
      command = next;
    }
    command.outputHelp();
  });
}
