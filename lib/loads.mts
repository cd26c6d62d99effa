// Fails when the package cannot be loaded, as a module of its own that every ESM face evaluates before the CommonJS build.
// Node 20 ends the process when a CommonJS module throws that an ES module imports, even where the `import()` is caught; a
// failure of this module rejects that `import()` as any other does.
import { requireIndex } from './require-index.js';

requireIndex();
