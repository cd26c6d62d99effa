// The commands of the tool, declared: what is run, what the help, the man page and the completion of a shell say.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from './bundled/commander.js';
import { addBench } from './bench.js';
import { addCompare } from './compare.js';
import { addCompletion } from './completion/completion.js';
import { addCopy } from './copy.js';
import { addCrashtest } from './crashtest/crashtest.js';
import { addFaults } from './faults.js';
import { addHelp } from './help.js';
import { addInfo } from './info.js';
import { addLabel } from './label.js';
import { addLog } from './log.js';
import { addMap } from './map.js';
import { addOverlay } from './overlay.js';
import { addPartitions } from './partitions.js';
import { addDiscard, addZero } from './range.js';
import { addRead } from './read.js';
import { addRecord } from './record.js';
import { addReplay } from './replay.js';
import { addServe } from './serve.js';
import { refuseMore } from './support/excess.js';
import type { Done } from './support/file-command.js';
import { LAYOUT, pathOf, widthOf, wrapped } from './support/help.js';
import { note } from './support/report.js';
import { SOURCES } from './support/source.js';
import { addWrite } from './write.js';

/** What --help of the tool says behind its commands, a paragraph each. */
export const NOTES: readonly string[] = [
  'Sizes and positions are bytes and may end in s (sectors of 512 bytes), k, M, G, T or KiB, MiB, ... (powers of 1024), or kB, MB, ... (powers of 1000).',
  SOURCES,
  'Exit status: 0 done, 1 an I/O or verification failure, 2 a wrong command line.',
];

type Add = (program: Command, done: Done) => void;

/** Commands under the titles of the help. */
const GROUPS: readonly (readonly [title: string, commands: readonly Add[]])[] = [
  ['Look:', [addInfo, addPartitions, addMap, addCompare]],
  ['Get out and put in:', [addRead, addWrite, addCopy]],
  ['Change:', [addZero, addDiscard, addLabel, addOverlay]],
  ['Serve, record and test:', [addServe, addRecord, addReplay, addLog, addCrashtest, addFaults]],
  ['Measure:', [(program, done) => addBench(program, version(), done)]],
  ['Help:', [(program) => addHelp(program), (program) => addCompletion(program)]],
];

export function version(): string {
  const text = readFileSync(path.join(__dirname, '../../package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** How commander begins a second line of an error; any other line end in one is the caller's. */
const DID_YOU_MEAN = '\n(Did you mean';

/** `done` gets the exit status of a command, `page` what help and version have to say. */
export function createProgram(done: Done, page: (text: string) => void): Command {
  const program = new Command('rumpblk')
    .description('Use a file or a device node as a block device.')
    .usage('<command> [options]')
    .version(version())
    .exitOverride()
    .helpCommand(false)
    .configureHelp(LAYOUT)
    .configureOutput({
      writeOut: page,
      getOutHelpWidth: () => widthOf(process.stdout),
      getErrHelpWidth: () => widthOf(process.stderr),
      outputError: (text) =>
        note(
          text
            .replace(/^error: /, '')
            .trimEnd()
            .replaceAll(DID_YOU_MEAN, ' (Did you mean'),
        ),
    })
    .addHelpText('after', ({ error }) =>
      NOTES.map((text) => `\n${wrapped(text, widthOf(error ? process.stderr : process.stdout))}`).join('\n'),
    );
  for (const [title, commands] of GROUPS) {
    program.commandsGroup(title);
    for (const add of commands) add(program, done);
  }
  program.showHelpAfterError("Try 'rumpblk --help'.");
  for (const command of allCommands(program)) {
    command.showHelpAfterError(`Try 'rumpblk help ${pathOf(command)}'.`);
    refuseMore(command);
  }
  return program;
}

/** The commands of a command, and theirs. */
export function allCommands(command: Command): Command[] {
  return command.commands.flatMap((one) => [one, ...allCommands(one)]);
}
