// rumpblk completion: what a shell needs to complete the command line.
import { Argument, Option, type Command } from '../bundled/commander.js';
import { readPartitions, type PartitionTable } from '../../index.js';
import { explain } from '../support/help.js';
import { withImage } from '../support/image.js';
import { emit } from '../support/report.js';
import { parsePath } from '../support/units.js';
import { bashScript } from './bash.js';
import { fishScript } from './fish.js';
import { commandWords, type CommandWord } from './words.js';
import { zshScript } from './zsh.js';

type Shell = 'bash' | 'zsh' | 'fish';

const SCRIPTS: Readonly<Record<Shell, (commands: readonly CommandWord[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};
/** What stands between a name and its description. */
const BETWEEN: Readonly<Record<Shell, string | undefined>> = { bash: undefined, zsh: ':', fish: '\t' };

const COMPLETION_HELP = {
  notes: ['Words of the command line, files, and the names of the partitions of FILE are completed.'],
  examples: [
    { what: 'Complete in this bash, and in this fish.', line: 'source <(rumpblk completion bash)' },
    { what: '', line: 'rumpblk completion fish | source' },
    { what: 'Complete in every zsh, where this folder is in fpath.', line: 'rumpblk completion zsh > ~/.zfunc/_rumpblk' },
  ],
};

/** Declares the command. */
export function addCompletion(program: Command): void {
  const command = program
    .command('completion')
    .description('Print what a shell needs to complete the command line.')
    .addArgument(new Argument('<shell>', 'which one').choices(['bash', 'zsh', 'fish']))
    // What the scripts ask for: not for people.
    .addOption(new Option('--partitions <file>').argParser(parsePath).hideHelp());
  explain(command, COMPLETION_HELP).action(async (shell: Shell, { partitions }: { partitions?: string }) => {
    await emit(partitions === undefined ? SCRIPTS[shell](commandWords(program)) : await namesIn(partitions, BETWEEN[shell]));
  });
}

/** The names of the partitions of a file, a line each. */
async function namesIn(file: string, between: string | undefined): Promise<string> {
  const table = await withImage(file, { access: 'auto', lock: false }, { mode: 'r' }, (device) => readPartitions(device));
  const rows = table === undefined ? [] : rowsOf(table);
  return rows.map(([name, what]) => `${name}${between === undefined ? '' : `${between}${what}`}\n`).join('');
}

function rowsOf(table: PartitionTable): (readonly [name: string, what: string])[] {
  return table.partitions.flatMap(({ name, typeName, label, table: inside }) => [
    [name, label === undefined || label === '' ? typeName : `${typeName} ${JSON.stringify(label)}`] as const,
    ...(inside === undefined ? [] : rowsOf(inside)),
  ]);
}
