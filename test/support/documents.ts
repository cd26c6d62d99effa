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
  return [...text.matchAll(/^```(\w*)\n([^]*?)\n```$/gm)].map(({ 1: language, 2: source, index }) => ({
    where: `${page}:${text.slice(0, index).split('\n').length}`,
    language: language ?? '',
    source: source ?? '',
  }));
}
