// Text that is safe in a page: no markup, and no mark that turns or hides what stands beside it.
import { printable } from '../../../arguments/printable.js';

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export function escape(text: string): string {
  return printable(text).replace(/[&<>"']/g, (found) => ENTITIES[found] ?? found);
}

/** A number of at most `digits` decimals, as CSS and SVG take it. */
export function round(value: number, digits = 2): string {
  return String(Number(value.toFixed(digits)));
}
