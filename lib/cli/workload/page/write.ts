// Writes the page, and refuses to write it over something else.
import { accessSync, closeSync, constants, openSync, readSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from '../../support/failure.js';
import { renderPage, type PageContent } from './page.js';

const BEGIN = '<!doctype html>';

/** Throws where `file` holds anything but a page, or cannot be made. */
export function refusePage(file: string): void {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    accessSync(path.dirname(path.resolve(file)), constants.W_OK);
    return;
  }
  try {
    const begin = Buffer.alloc(BEGIN.length);
    const length = readSync(fd, begin, 0, begin.length, 0);
    if (length > 0 && begin.toString().toLowerCase() !== BEGIN) throw new UsageError(`'${file}' is no page: --html would write over it`);
  } finally {
    closeSync(fd);
  }
}

export async function writePage(file: string, content: PageContent): Promise<void> {
  await writeFile(file, renderPage(content));
}
