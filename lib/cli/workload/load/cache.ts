// The page cache between two runs: what the last one has written goes to the disk, and what it has read is dropped.
import { execFileSync } from 'node:child_process';
import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Drops the cached pages of a file, for every engine alike. Gives what prevented it, in words. */
export function dropCache(file: string): string | undefined {
  try {
    const fd = openSync(file, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    // Node.js has no posix_fadvise; dd of coreutils does nothing else here.
    execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none'], { stdio: ['ignore', 'ignore', 'pipe'] });
    return undefined;
  } catch (error) {
    return `the page cache of '${file}' was not dropped: ${error instanceof Error ? (error.message.split('\n').at(-1) ?? '') : String(error)}`;
  }
}
