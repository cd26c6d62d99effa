// What the commands print: tables, headings, one JSON document, and the way to stdout.
import { printable, printableJson } from '../../arguments/printable.js';

/** The reader of stdout went away (EPIPE): the command ends, and that is no failure. */
export class ReaderGone extends Error {}

process.stdout.on('error', () => undefined); // each write below reports its own error
process.stderr.on('error', () => undefined); // nobody left to tell

/** Writes to stdout and waits until it is taken. */
export function emit(data: string | Uint8Array): Promise<void> {
  if (process.stdout.isTTY) clearStatus();
  return new Promise((resolve, reject) => {
    process.stdout.write(data, (error?: NodeJS.ErrnoException | null) => {
      if (!error) resolve();
      else reject(error.code === 'EPIPE' ? new ReaderGone('EPIPE', { cause: error }) : Object.assign(error, { path: 'stdout' }));
    });
  });
}

/** Prints the one JSON document of a `--json` run. */
export function emitJson(document: object): Promise<void> {
  const text = printableJson(document, (_, value) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value));
  return emit(`${text}\n`);
}

/** Back to the first column, and clear to the end of the line. */
const CLEAR = '\r\u001b[K';
let isStatusShown = false;

/** Tells whether stderr is a terminal on which a line can be written over. */
export function hasStatusLine(): boolean {
  return process.stderr.isTTY && process.env['TERM'] !== 'dumb';
}

/** Columns that a status line may have: the terminal's last one stays free, where a cursor may go to the next line. */
export function statusWidth(): number {
  return (process.stderr.columns || 80) - 1;
}

/** Shows a line on the terminal, in place of the one before. It is gone when something else is said. */
export function showStatus(text: string): void {
  process.stderr.write(`${CLEAR}${text}`);
  isStatusShown = true;
}

export function clearStatus(): void {
  if (isStatusShown) process.stderr.write(CLEAR);
  isStatusShown = false;
}

/** A line on stderr, of a failure or of what is none. */
export function note(text: string): void {
  clearStatus();
  process.stderr.write(`rumpblk: ${printable(text)}\n`);
}

/** Whether text may be styled: FORCE_COLOR says so, or there is a terminal, and neither NO_COLOR nor TERM forbids it. */
function isStyled(): boolean {
  const { FORCE_COLOR, NO_COLOR, TERM } = process.env;
  if (FORCE_COLOR) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  return process.stdout.isTTY && !NO_COLOR && TERM !== 'dumb';
}

/** A section title: bold where text may be styled. */
export function heading(text: string): string {
  const title = printable(text);
  return isStyled() ? `\u001b[1m${title}\u001b[22m` : title;
}

/** Titles of the columns; one that begins with `>` is aligned to the right. */
export type Columns = readonly string[];

/** Rows under their titles, in columns, fit for a terminal whatever is in them, two spaces in from the left. An untitled table has `''` titles only. */
export function table(columns: Columns, rows: readonly (readonly string[])[]): string {
  const titles = columns.map((title) => title.replace(/^>/, ''));
  const cells = rows.map((row) => row.map(printable));
  const lines = titles.some((title) => title !== '') ? [titles, ...cells] : cells;
  const widths = columns.map((_, index) => lines.reduce((most, line) => Math.max(most, line[index]?.length ?? 0), 0));
  const cell = (text: string, index: number): string => {
    const width = widths[index] ?? 0;
    return columns[index]?.startsWith('>') === true ? text.padStart(width) : text.padEnd(width);
  };
  return lines.map((line) => `  ${line.map(cell).join('  ')}`.trimEnd()).join('\n');
}

/** A heading, its body and an empty line behind it. */
export function section(title: string, body: string): string {
  return `${heading(title)}\n${body}\n\n`;
}
