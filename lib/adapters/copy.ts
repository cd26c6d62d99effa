// rumpblk/copy: everything that callers may use of it.
export { copy } from '../copy/copy.js';

export type { CopyOptions, CopyProgress, CopyReflink, CopyResult, CopySparse } from '../copy/options.js';
export type { CopySource, CopyTarget } from '../copy/kinds.js';
