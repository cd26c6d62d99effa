// The pages that people read, and the blocks of code in them.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './child';

export interface Block {
  /** File and line, as an editor takes them. */
  readonly where: string;
  /** What the fence says: js, ts, sh, text. */
  readonly language: string;
  readonly source: string;
  /** The program of test/documents/around/ that a block behind `<!-- inside NAME -->` is a part of. */
  readonly inside?: string;
  /** The one that prints a block behind `<!-- printed by NAME -->`. */
  readonly printedBy?: string;
}

/** Every page, by its path from the root. */
export function pages(): string[] {
  const found = ['.', 'docs', 'docs/guides'].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder))
      .filter((file) => file.endsWith('.md'))
      .map((file) => path.join(folder, file)),
  );
  return found.sort();
}

/** The fenced blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  const text = readFileSync(path.join(ROOT, page), 'utf8');
  const fences = /(?:^<!-- (inside|printed by) ([\w-]+) -->\n\n?)?^```(\w*)\n([^]*?)\n```$/gm;
  return [...text.matchAll(fences)].map((match) => {
    const [all, relation, name, language = '', source = ''] = match;
    return {
      where: `${page}:${text.slice(0, match.index + all.indexOf('```')).split('\n').length}`,
      language,
      source,
      ...(relation === undefined || name === undefined ? {} : { [relation === 'inside' ? 'inside' : 'printedBy']: name }),
    };
  });
}
