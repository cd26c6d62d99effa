// The completion of bash: a function that looks at the words before the cursor.
import type { CommandWord, Kind, OptionWord } from './words.js';

export function bashScript(commands: readonly CommandWord[]): string {
  const groups = commands.filter((one) => one.commands.length > 0);
  const leaves = commands.flatMap((one) => (one.commands.length > 0 ? one.commands : [one]));
  return `# Completion of rumpblk for bash. To have it in every shell:
#   rumpblk completion bash > ~/.local/share/bash-completion/completions/rumpblk
_rumpblk_take() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen "$@" -- "$cur"))
}

_rumpblk_files() {
  compopt -o filenames 2>/dev/null
  _rumpblk_take -f
}

# The names of the partitions of the first file of the command line.
_rumpblk_partitions() {
  local word
  for word in "\${COMP_WORDS[@]:2}"; do
    if [[ -f $word || -b $word ]]; then
      _rumpblk_take -W "$("\${COMP_WORDS[0]}" completion bash --partitions "$word" 2>/dev/null)"
      return
    fi
  done
}

_rumpblk() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command='' word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] && continue
    command="\${command:+$command }$word"
    case $command in
${groups.map(({ names }) => `      ${names.join('|')}) ;;`).join('\n')}
      *) break ;;
    esac
  done
  case $command in
    '') _rumpblk_take -W "${linesOf(commands.flatMap(({ names }) => names).concat('--help', '--version'))}"; return ;;
${groups.map(({ names, commands: own }) => `    ${names.join('|')}) _rumpblk_take -W "${linesOf(own.flatMap((one) => one.names))}"; return ;;`).join('\n')}
  esac
  case $command in
${leaves.map(caseOf).join('\n')}
  esac
}
complete -F _rumpblk rumpblk
`;
}

/** One to a line, as the function that takes them has it. */
function linesOf(words: readonly string[]): string {
  return words.join('\n');
}

function caseOf(command: CommandWord): string {
  const parent = command.path.split(' ').slice(0, -1);
  const patterns = command.names.map((name) => `'${[...parent, name].join(' ')}'`).join('|');
  const valued = command.options.filter(({ value }) => value !== undefined);
  const values = valued.map((option) => `        ${flagsOf(option).join('|')}) ${taking(option.value)}return ;;`);
  const flags = linesOf(command.options.map(({ long, short }) => long ?? short ?? ''));
  return `    ${patterns})
      case $prev in
${values.join('\n')}
      esac
      if [[ $cur == -* ]]; then
        _rumpblk_take -W "${flags}"
      else
        ${taking(command.argument).replace(/; $/, '') || ':'}
      fi ;;`;
}

function flagsOf({ short, long }: OptionWord): string[] {
  return [short, long].filter((flag) => flag !== undefined);
}

function taking(kind: Kind | undefined): string {
  if (kind === 'file') return '_rumpblk_files; ';
  if (kind === 'partition') return '_rumpblk_partitions; ';
  return kind === undefined || kind === 'none' ? '' : `_rumpblk_take -W "${linesOf(kind)}"; `;
}
