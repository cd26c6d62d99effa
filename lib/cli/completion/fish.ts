// The completion of fish: a line for each word, with the command that it belongs to.
import type { CommandWord, OptionWord } from './words.js';

export function fishScript(commands: readonly CommandWord[]): string {
  const groups = commands.filter((one) => one.commands.length > 0);
  const leaves = commands.flatMap((one) => (one.commands.length > 0 ? one.commands : [one]));
  return `# Completion of rumpblk for fish. To have it in every shell:
#   rumpblk completion fish > ~/.config/fish/completions/rumpblk.fish

# The command of the command line: 'read', 'overlay create', or nothing yet.
function __rumpblk_command
    set -l path
    for word in (commandline -opc)[2..]
        string match -q -- '-*' $word; and continue
        set -a path $word
        contains -- "$path" ${groups.flatMap(({ names }) => names).join(' ')}; and continue
        break
    end
    echo -n "$path"
end

function __rumpblk_is
    set -l command (__rumpblk_command)
    contains -- "$command" $argv
end

# The names of the partitions of the first file of the command line.
function __rumpblk_partitions
    for word in (commandline -opc)[3..]
        if test -f $word; or test -b $word
            rumpblk completion fish --partitions $word 2>/dev/null
            return
        end
    end
end

complete -c rumpblk -f
${commandLines('', commands)}
complete -c rumpblk -n "__rumpblk_is ''" -l help -d 'display help for command'
complete -c rumpblk -n "__rumpblk_is ''" -l version -d 'output the version number'
${groups.map(({ path, commands: own }) => commandLines(path, own)).join('\n')}
${leaves.flatMap(linesOf).join('\n')}
`;
}

function commandLines(parent: string, commands: readonly CommandWord[]): string {
  return commands
    .flatMap(({ names, description }) =>
      names.map((name) => `complete -c rumpblk -n "__rumpblk_is '${parent}'" -a ${name} -d ${quote(description)}`),
    )
    .join('\n');
}

function linesOf(command: CommandWord): string[] {
  const parent = command.path.split(' ').slice(0, -1);
  const paths = command.names.map((name) => `'${[...parent, name].join(' ')}'`).join(' ');
  const head = `complete -c rumpblk -n "__rumpblk_is ${paths}"`;
  const argument =
    command.argument === 'file'
      ? [`${head} -F`]
      : typeof command.argument === 'string'
        ? []
        : [`${head} -a ${quote(command.argument.join(' '))}`];
  return [...argument, ...command.options.map((option) => `${head} ${wordsOf(option)}`)];
}

function wordsOf({ short, long, description, value }: OptionWord): string {
  const flags = [...(short === undefined ? [] : [`-s ${short.slice(1)}`]), ...(long === undefined ? [] : [`-l ${long.slice(2)}`])];
  return [...flags, ...valueOf(value), `-d ${quote(description)}`].join(' ');
}

function valueOf(value: OptionWord['value']): string[] {
  if (value === undefined) return [];
  if (value === 'file') return ['-r', '-F'];
  if (value === 'partition') return ['-x', '-a', "'(__rumpblk_partitions)'"];
  return value === 'none' ? ['-x'] : ['-x', '-a', quote(value.join(' '))];
}

function quote(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}
