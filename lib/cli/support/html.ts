// Pages of the command: one file that asks for nothing from elsewhere, and text in it that is neither markup nor a mark that turns or hides what
// stands beside it.
import { printable } from '../../arguments/printable.js';

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export function escape(text: string): string {
  return printable(text).replace(/[&<>"']/g, (found) => ENTITIES[found] ?? found);
}

/** A number of at most `digits` decimals, as CSS and SVG take it. */
export function round(value: number, digits = 2): string {
  return String(Number(value.toFixed(digits)));
}

/** A whole page. `title` is text; `style` and `main` are CSS and HTML as they are. */
export function htmlPage(title: string, style: string, main: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
${main}
</main>
</body>
</html>
`;
}
