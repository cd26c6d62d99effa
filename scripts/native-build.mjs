// node scripts/native-build.mjs VARIANT: makes one variant of the second build. `npm run build:san` and the like.
import { VARIANTS, build, missingFor } from './support/native.mjs';

const [name] = process.argv.slice(2);
if (name === undefined || !Object.hasOwn(VARIANTS, name)) {
  console.error(`usage: native-build.mjs ${Object.keys(VARIANTS).join('|')}`);
  process.exit(2);
}
const lacks = missingFor(name);
const { ok, output, why } = lacks === undefined ? await build(name) : { ok: false, output: '', why: lacks };
if (!ok) console.error(`${output}\n${why}`);
else console.log(`${VARIANTS[name].folder}: built`);
process.exitCode = ok ? 0 : 1;
