// Text from elsewhere, made fit for a terminal and a log: what would move a cursor, colour a line, forge a row or turn the
// direction of reading is shown as an escape sequence instead of obeyed.

/** C0, DEL, C1, line and paragraph separators, the marks of bidirectional text, and halves of pairs. */
// eslint-disable-next-line no-control-regex -- these are what it is about
const UNFIT = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;

/** Escapes what a terminal would obey: `\x1b`, `\u202e`. */
export function printable(text: string): string {
  return text.replace(UNFIT, (mark) => {
    const code = mark.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : unicode(mark);
  });
}

/** A JSON document of that value, in lines: it parses to exactly what the value is, and a terminal obeys nothing in it. */
export function printableJson(value: unknown, replacer?: (key: string, value: unknown) => unknown): string {
  // The line ends are those of the layout: in a string they are escaped already.
  return JSON.stringify(value, replacer, 2).replace(UNFIT, (mark) => (mark === '\n' ? mark : unicode(mark)));
}

function unicode(mark: string): string {
  return `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
