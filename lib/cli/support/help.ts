// The help of a command: what it says besides its options, kept so that the man page says the same.
import type { Command, Help } from '../bundled/commander.js';
import { printable } from '../../arguments/printable.js';

/** A command line, and what it does. */
export interface Example {
  readonly what: string;
  readonly line: string;
}

/** What --help says behind the options. */
export interface Explanation {
  /** Paragraphs. */
  readonly notes: readonly string[];
  readonly examples: readonly Example[];
}

const WIDEST = 80;
/** Columns that a description has beside its term, or it goes below it. */
const BESIDE = 36;
const INDENT = 2;

const explanations = new WeakMap<Command, Explanation>();

/** Says it behind the options of --help. */
export function explain(command: Command, { notes = [], examples }: Partial<Explanation> & Pick<Explanation, 'examples'>): Command {
  explanations.set(command, { notes, examples });
  return command.addHelpText('after', ({ error }) =>
    explanationText({ notes, examples }, widthOf(error ? process.stderr : process.stdout)),
  );
}

/** What `explain` was given. */
export function explanationOf(command: Command): Explanation | undefined {
  return explanations.get(command);
}

/** Columns of a page of help. */
export function widthOf({ isTTY, columns }: Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>>): number {
  return isTTY === true && columns !== undefined && columns > 0 ? Math.min(columns, WIDEST) : WIDEST;
}

function explanationText({ notes, examples }: Explanation, width: number): string {
  const paragraphs = notes.map((note) => `\n${wrapped(note, width)}`);
  return [...paragraphs, `\n${exampleText(examples, width)}`].join('\n');
}

/** Examples under their title. */
export function exampleText(examples: readonly Example[], width: number): string {
  if (examples.length === 0) return '';
  const lines = examples.map(({ what, line }) => `${what === '' ? '' : `${wrapped(what, width, INDENT)}\n`}    ${line}`);
  return `Examples:\n${lines.join('\n')}`;
}

/** Breaks a paragraph between words, into lines of at most `width` columns; line ends in it stay. */
export function wrapped(text: string, width: number, indent = 0): string {
  const lines = text.split('\n').flatMap((paragraph) => {
    if (paragraph.startsWith(' ')) return [paragraph];
    const broken: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width - indent) {
        broken.push(line);
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    return [...broken, line];
  });
  return lines.map((line) => `${' '.repeat(line === '' ? 0 : indent)}${line}`).join('\n');
}

/** How a page of help is laid out. */
export const LAYOUT: Partial<Help> = {
  minWidthToWrap: 20,
  subcommandTerm: (command) => namesOf(command).join(', '),
  commandUsage: (command) => `${[...parentsOf(command), namesOf(command).join('|')].join(' ')} ${command.usage()}`,
  formatItem(term, termWidth, description, helper) {
    const width = helper.helpWidth ?? WIDEST;
    if (description === '') return `  ${term}`;
    const room = width - termWidth - 2 * INDENT;
    // A term that is longer than most stands on a line of its own, and so do all where there is little room.
    if (room < BESIDE) return `  ${term}\n${wrapped(description, width, 3 * INDENT)}`;
    const [first = '', ...rest] = wrapped(description, room).split('\n');
    const gap = ' '.repeat(termWidth - helper.displayWidth(term) + INDENT);
    return [`  ${term}${gap}${first}`, ...rest.map((line) => `${' '.repeat(termWidth + 2 * INDENT)}${line}`)].join('\n');
  },
};

function namesOf(command: Command): string[] {
  return [command.name(), ...command.aliases()];
}

function parentsOf({ parent }: Command): string[] {
  return parent === null ? [] : [...parentsOf(parent), parent.name()];
}

/** The words that call a command: `overlay create`. */
export function pathOf(command: Command): string {
  const parent = command.parent;
  return parent === null || parent.parent === null ? command.name() : `${pathOf(parent)} ${command.name()}`;
}

/** A word of an error, fit for a terminal. */
export const quoted = (word: string): string => `'${printable(word)}'`;
