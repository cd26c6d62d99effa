// The command line tool, which bin.ts loads. Runs a command line, turns its failure into a line on stderr and an exit status.
import { CommanderError, type Command } from './bundled/commander.js';
import { startPage } from './help.js';
import { createProgram } from './program.js';
import { isOptionElsewhere, unknownCommand } from './support/advice.js';
import { EXIT, exitStatus, failureJson, failureLines } from './support/failure.js';
import { emit, emitJson, note, ReaderGone } from './support/report.js';

/** Says what does what a command of other tools does, if the first word is one. */
function refuseUnknown(program: Command, [word]: readonly string[]): void {
  if (word === undefined || (word.startsWith('-') && !isOptionElsewhere(word))) return;
  if (program.commands.some((command) => command.name() === word || command.aliases().includes(word))) return;
  unknownCommand(program, word);
}

/** Runs `parse`, and prints the pages of help or the version that it came to. Commander ends with an error where it shows one. */
async function withPages(pages: readonly string[], parse: () => Promise<unknown>): Promise<void> {
  try {
    await parse();
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode !== 0) throw error;
  }
  if (pages.length > 0) await emit(pages.join(''));
}

/** Runs one command line. With `--json` a failure is a document on stdout, too. */
async function run(args: readonly string[]): Promise<number> {
  let status: number = EXIT.ok;
  const pages: string[] = [];
  const program = createProgram(
    (result) => (status = result),
    (page) => pages.push(page),
  );
  if (args.length === 0) {
    process.stderr.write(startPage());
    return EXIT.usage;
  }
  try {
    refuseUnknown(program, args);
    await withPages(pages, () => program.parseAsync(args, { from: 'user' }));
    return status;
  } catch (error) {
    if (error instanceof ReaderGone) return EXIT.ok;
    if (error instanceof CommanderError) {
      if (args.includes('--json')) await emitJson({ error: { message: error.message.replace(/^error: /, '') } });
      return EXIT.usage;
    }
    for (const line of failureLines(error)) note(line);
    if (args.includes('--json')) await emitJson({ error: failureJson(error) });
    return exitStatus(error);
  }
}

/** The exit status of a command line. When stdout is gone, nobody is left to be told of a failure. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    return error instanceof ReaderGone ? EXIT.ok : EXIT.failed;
  }
}
