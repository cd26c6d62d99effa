// docs/rumpblk.1: what `rumpblk --help` and the help of each command say, as a page for man(1). Read from the commands as they are
// declared, in dist/.
import { createRequire } from 'node:module';
import path from 'node:path';
import { ROOT } from '../support/run.mjs';

const require = createRequire(import.meta.url);
const { createProgram, NOTES, version } = require(path.join(ROOT, 'dist/cli/program.js'));
const { FIRST_STEPS } = require(path.join(ROOT, 'dist/cli/help.js'));
const { explanationOf, wrapped } = require(path.join(ROOT, 'dist/cli/support/help.js'));

const STATUS = 'Exit status: ';
/** Other programs that a reader may look for. */
const OTHERS = ['bmaptool(1)', 'fio(1)', 'nbdcopy(1)', 'nbdkit(1)', 'qemu-img(1)', 'qemu-nbd(8)', 'sfdisk(8)'];

/** Columns of a line of the source, as mandoc -T lint asks. */
const WIDEST = 72;

/** Text as roff reads it: a hyphen is one that can be copied, and no line begins a request. */
function roff(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&');
}

/** Text that roff fills lines with. */
const filled = (text) => roff(wrapped(text, WIDEST));

/** An argument of a macro. */
const word = (text) => `"${roff(text).replaceAll('"', '\\(dq')}"`;

/** Lines that keep their form. */
const verbatim = (text) => `.nf\n${roff(text)}\n.fi`;

/** A paragraph. Lines of it that begin with spaces keep their form. */
function paragraph(text) {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => line.startsWith(' '));
  if (at < 0) return filled(text);
  return `${filled(lines.slice(0, at).join('\n'))}\n${verbatim(lines.slice(at).join('\n'))}`;
}

/** Terms with their descriptions. */
const terms = (items) => items.map(([term, description]) => `.TP\n.B ${word(term)}\n${filled(description)}`);

/** Command lines, each behind what it does; one without that goes on from the one before. */
function exampleLines(examples) {
  return examples.map(({ what, line }, index) => {
    const code = `.RS 4\n${verbatim(line.replace(/^ {4}/gm, ''))}\n.RE`;
    const text = what === '' ? [] : [filled(what)];
    return [...(what === '' || index === 0 ? [] : ['.PP']), ...text, code].join('\n');
  });
}

/** Commands as the help lists them, and the commands of those that have some in their place. */
function leaves(command) {
  const shown = command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.parent === command);
  return shown.flatMap((one) => (one.commands.length === 0 ? [one] : leaves(one)));
}

/** What an option or an argument is called, with what it means. -h is told once, of all. */
function wordsOf(command) {
  const help = command.createHelp();
  const args = help.visibleArguments(command).map((one) => [help.argumentTerm(one), help.argumentDescription(one)]);
  const options = help
    .visibleOptions(command)
    .filter(({ long }) => command.parent === null || long !== '--help')
    .map((one) => [help.optionTerm(one), help.optionDescription(one)]);
  return [...args, ...options];
}

function commandPart(command) {
  const { notes, examples } = explanationOf(command);
  return [
    `.SS ${word(command.createHelp().commandUsage(command))}`,
    filled(command.description()),
    ...terms(wordsOf(command)),
    ...notes.map((note) => `.PP\n${paragraph(note)}`),
    '.PP',
    '.I Examples',
    '.PP',
    ...exampleLines(examples),
  ];
}

/** The day of a page as `manual` makes it. @param {string} text @returns {string | undefined} */
export function dayOf(text) {
  return /^\.TH \S+ 1 "([\d-]+)"/m.exec(text)?.[1];
}

/** @param {string} day on which the page was made, as 2026-12-01 @returns {string} the page */
export function manual(day) {
  const program = createProgram(
    () => undefined,
    () => undefined,
  );
  const notes = NOTES.filter((text) => !text.startsWith(STATUS));
  const [status] = NOTES.filter((text) => text.startsWith(STATUS));
  const summary = program.description().replace(/\.$/, '');
  return `${[
    '.\\" Made by `npm run docs` from what rumpblk --help says: change that, in lib/cli/.',
    `.TH RUMPBLK 1 ${word(day).replaceAll('\\', '')} ${word(`rumpblk ${version()}`)} "User Commands"`,
    // Names are not broken, and lines not spread.
    '.nh\n.ad l',
    '.SH NAME',
    `rumpblk \\- ${filled(`${summary[0].toLowerCase()}${summary.slice(1)}`)}`,
    '.SH SYNOPSIS',
    `.B rumpblk\n${filled(program.usage())}`,
    '.SH DESCRIPTION',
    notes.map(paragraph).join('\n.PP\n'),
    '.SH OPTIONS',
    ...terms(wordsOf(program)),
    '.SH EXAMPLES',
    ...exampleLines(FIRST_STEPS),
    '.SH COMMANDS',
    ...leaves(program).flatMap(commandPart),
    '.SH "EXIT STATUS"',
    filled(status.slice(STATUS.length)),
    '.SH "SEE ALSO"',
    OTHERS.map((other) => `.BR ${other.replace('(', ' (')}`).join(' ,\n'),
  ].join('\n')}\n`;
}
