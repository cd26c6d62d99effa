// Rule: a file has at most 300 lines, unless its head gives the reason in a comment with "Over 300 lines:".

const LIMIT = 300;
const HEAD = 15;

/** @param {string} raw */
export function lengthRule(raw) {
  const lines = raw.trimEnd().split('\n');
  if (lines.length <= LIMIT || lines.slice(0, HEAD).some((line) => line.includes('Over 300 lines:'))) return [];
  return [`${lines.length} lines; split it, or say why at the top: "Over 300 lines: ..."`];
}
