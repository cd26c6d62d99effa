// Text that is safe in a page.

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (found) => ENTITIES[found] ?? found);
}

/** A number of at most `digits` decimals, as CSS and SVG take it. */
export function round(value: number, digits = 2): string {
  return String(Number(value.toFixed(digits)));
}
