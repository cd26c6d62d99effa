// No circles: a module never leads back to itself, by values or by types alone. In native/ a module is a header with its
// source file.
import path from 'node:path';

/** Circles that are wanted, each the two halves of one thing. */
const WANTED = [
  // `device.driver` is a BlockDriver, whose class makes devices: an interface in its place would not be one that `open({ driver })`
  // takes. Of types alone: neither module needs the other to load.
  ['lib/device', 'lib/driver'],
];

const IMPORT = /\bfrom\s+['"](\.[^'"]+)['"]/g;
const INCLUDE = /^\s*#\s*include\s*"((?:core|serve|lab|addon)\/[^"]+)"/gm;

/** The module that a file is part of. */
const moduleOf = (file) => file.replace(/\.(d\.ts|ts|mts|mjs|js|h|cc)$/, '');

/** @param {Map<string, string>} texts by file; those of lib/ and native/ count, but for tests */
function graphOf(texts) {
  const graph = new Map();
  for (const [file, text] of texts) {
    const module = moduleOf(file);
    const targets = graph.get(module) ?? graph.set(module, new Set()).get(module);
    if (file.startsWith('lib/')) {
      for (const [, target] of text.matchAll(IMPORT)) targets.add(moduleOf(path.posix.join(path.posix.dirname(file), target)));
    } else if (/^native\/(core|serve|lab|addon)\//.test(file)) {
      for (const [, target] of text.matchAll(INCLUDE)) targets.add(moduleOf(`native/${target}`));
    }
    targets.delete(module);
  }
  return graph;
}

/** Every set of modules in which each leads to every other, by Tarjan's algorithm. */
function circlesOf(graph) {
  const order = new Map();
  const lowest = new Map();
  const stack = [];
  const circles = [];
  const visit = (module) => {
    order.set(module, order.size);
    lowest.set(module, order.get(module));
    stack.push(module);
    for (const target of graph.get(module)) {
      if (!graph.has(target)) continue;
      if (!order.has(target)) visit(target);
      if (stack.includes(target)) lowest.set(module, Math.min(lowest.get(module), lowest.get(target)));
    }
    if (lowest.get(module) !== order.get(module)) return;
    const circle = stack.splice(stack.indexOf(module));
    if (circle.length > 1) circles.push(circle.sort());
  };
  for (const module of graph.keys()) if (!order.has(module)) visit(module);
  return circles;
}

/** @param {Map<string, string>} texts @returns {string[]} one breach for each circle */
export function circlesRule(texts) {
  const wanted = new Set(WANTED.map(String));
  return circlesOf(graphOf(texts))
    .filter((circle) => !wanted.has(String(circle)))
    .map((circle) => `circle: ${circle.join(' ↔ ')}`);
}
