// The completion of zsh: descriptions for _arguments.
import type { CommandWord, Kind, OptionWord } from './words.js';

export function zshScript(commands: readonly CommandWord[]): string {
  const groups = commands.filter((one) => one.commands.length > 0);
  const leaves = commands.flatMap((one) => (one.commands.length > 0 ? one.commands : [one]));
  return `#compdef rumpblk
# Completion of rumpblk for zsh. To have it in every shell, in a folder of fpath:
#   rumpblk completion zsh > ~/.zfunc/_rumpblk

# The names of the partitions of the first file of the command line.
_rumpblk_partitions() {
  local word
  local -a names
  for word in "\${(@)words}"; do
    if [[ -f \${(Q)word} || -b \${(Q)word} ]]; then
      names=("\${(@f)$(rumpblk completion zsh --partitions "\${(Q)word}" 2>/dev/null)}")
      _describe -t partitions partition names
      return
    fi
  done
}

_rumpblk() {
  local command=$words[2]
  local -a commands
  if (( CURRENT == 2 )); then
    commands=(
${describing(commands)}
    )
    _describe -t commands command commands
    return
  fi
  case $command in
${groups.map(groupOf).join('\n')}
  esac
  shift words
  (( CURRENT-- ))
  case $command in
${leaves.map(caseOf).join('\n')}
  esac
}

if [[ $funcstack[1] == _rumpblk ]]; then
  _rumpblk "$@"
else
  compdef _rumpblk rumpblk
fi
`;
}

function describing(commands: readonly CommandWord[]): string {
  return commands.flatMap(({ names, description }) => names.map((name) => `      ${quote(`${name}:${description}`)}`)).join('\n');
}

function groupOf({ names, commands }: CommandWord): string {
  return `    ${names.join('|')})
      if (( CURRENT == 3 )); then
        commands=(
${describing(commands)}
        )
        _describe -t commands command commands
        return
      fi
      command="$words[2] $words[3]"
      shift words
      (( CURRENT-- )) ;;`;
}

function caseOf(command: CommandWord): string {
  const parent = command.path.split(' ').slice(0, -1);
  const patterns = command.names.map((name) => `'${[...parent, name].join(' ')}'`).join('|');
  const specs = [...command.options.map(specOf), quote(`*:argument:${actionOf(command.argument)}`)];
  return `    ${patterns})
      _arguments -s -S \\
${specs.map((spec) => `        ${spec}`).join(' \\\n')} ;;`;
}

function specOf({ short, long, description, value }: OptionWord): string {
  const flags = [short, long].filter((flag) => flag !== undefined);
  const text = `[${description.replace(/[[\]\\:]/g, '\\$&')}]${value === undefined ? '' : `:value:${actionOf(value)}`}`;
  return flags.length === 1 ? quote(`*${flags[0]}${text}`) : `'*'{${flags.join(',')}}${quote(text)}`;
}

function actionOf(kind: Kind): string {
  if (kind === 'file') return '_files';
  if (kind === 'partition') return '_rumpblk_partitions';
  return kind === 'none' ? ' ' : `(${kind.join(' ')})`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
