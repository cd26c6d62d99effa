// What there is to complete, read from the declared commands: the same for every shell.
import type { Command, Option } from '../bundled/commander.js';
import { pathOf } from '../support/help.js';

/** What the value of an option, or an argument, may be. */
export type Kind = 'file' | 'partition' | 'none' | readonly string[];

export interface OptionWord {
  /** `-p`. */
  readonly short: string | undefined;
  /** `--position`. */
  readonly long: string | undefined;
  readonly description: string;
  /** What its value may be; undefined where it has none. */
  readonly value: Kind | undefined;
}

export interface CommandWord {
  /** `read`, `overlay create`. */
  readonly path: string;
  readonly names: readonly string[];
  readonly description: string;
  readonly options: readonly OptionWord[];
  /** What its arguments are. */
  readonly argument: Kind;
  /** The commands that it has; none: it is called by itself. */
  readonly commands: readonly CommandWord[];
}

/** Names of values that are files. */
const FILES = /^(?:file|image|path|output|log|json|name\.\.\.|directory|plan|src|dst|a|b|images|base)$/;
const HELP: OptionWord = { short: '-h', long: '--help', description: 'display help for command', value: undefined };

/** The commands of a command. */
export function commandWords(command: Command): CommandWord[] {
  const shown = command.createHelp().visibleCommands(command);
  return shown.filter((one) => one.parent === command).map(wordOf);
}

function wordOf(command: Command): CommandWord {
  const shown = command.createHelp().visibleOptions(command);
  return {
    path: pathOf(command),
    names: [command.name(), ...command.aliases()],
    description: command.description(),
    options: [...shown.filter(({ long }) => long !== '--help').map(optionOf), HELP],
    argument: argumentOf(command),
    commands: commandWords(command),
  };
}

function optionOf(option: Option): OptionWord {
  const { short, long, description, flags, argChoices } = option;
  const [, name] = /[<[]([^>\]]+)[>\]]/.exec(flags) ?? [];
  const value = name === undefined || option.optional ? undefined : (argChoices ?? kindOf(name, long));
  return { short, long, description, value };
}

function kindOf(name: string, long = ''): Kind {
  if (/partition/.test(long)) return 'partition';
  return FILES.test(name) ? 'file' : 'none';
}

function argumentOf(command: Command): Kind {
  const [first] = command.registeredArguments;
  if (first === undefined) return 'none';
  return first.argChoices ?? (FILES.test(first.name()) ? 'file' : 'none');
}
