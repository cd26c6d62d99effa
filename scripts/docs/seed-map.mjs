// Whether docs/ still speaks of what is there: every bug of the seed has one row in seed-map.md, a test that a row names carries
// the id, and files and pages that are named or linked exist.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const IDS = [...Array.from({ length: 47 }, (_, i) => `B${i + 1}`), ...Array.from({ length: 6 }, (_, i) => `F${i + 1}`)];

/** What is wrong with the rows of the bug tables. */
function rowBreaches(root, text) {
  return IDS.flatMap((id) => {
    const rows = text.split('\n').filter((line) => line.startsWith(`| ${id} |`));
    if (rows.length !== 1) return [`${id} has ${rows.length} rows`];
    const tests = (rows[0].split('|').at(-2) ?? '').match(/(?:native\/)?test\/[\w./-]+\.(?:ts|cc)/g) ?? [];
    const carries = (file) => new RegExp(`\\b${id}\\b`).test(readFileSync(path.join(root, file), 'utf8'));
    return tests.filter((file) => existsSync(path.join(root, file)) && !carries(file)).map((file) => `${file} does not name ${id}`);
  });
}

/** Files in backticks, by their path from the root or from native/, and relative links. */
function fileBreaches(root, page, text) {
  const named = [...text.matchAll(/`((?:native|lib|test|scripts|docs|core|addon)\/[\w./-]+\.(?:ts|mts|mjs|cc|h|md))`/g)].map(
    ([, file]) => file,
  );
  const prose = text.replace(/```[\s\S]*?```|`[^`\n]*`/g, '');
  const linked = [...prose.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => path.join(path.dirname(page), link));
  const isThere = (file) => ['', 'native'].some((folder) => existsSync(path.join(root, folder, file)));
  return [...new Set([...named, ...linked])]
    .filter((file) => !isThere(file))
    .map((file) => `${page} speaks of ${file}, which is not there`);
}

/** @param {string} root of the package @returns {string[]} what is wrong with the pages of the root and of docs/ */
export function docBreaches(root) {
  const pages = ['.', 'docs', 'docs/guides'].flatMap((folder) =>
    readdirSync(path.join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => path.join(folder, name)),
  );
  const read = (page) => readFileSync(path.join(root, page), 'utf8');
  return [...pages.flatMap((page) => fileBreaches(root, page, read(page))), ...rowBreaches(root, read('docs/seed-map.md'))];
}
