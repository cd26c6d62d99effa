// What the site needs of TypeDoc beyond its options: pages are called as their first heading says, entry points as they are
// imported, and a link to docs/api.md leads to the reference, which is the same.
import path from 'node:path';
import { Converter, ReflectionKind } from 'typedoc';

const HEADING = /^# (.+)\n+/;

/** @param {import('typedoc').DocumentReflection} document */
function name(document) {
  const [first] = document.content;
  const title = first?.kind === 'text' ? HEADING.exec(first.text)?.[1] : undefined;
  if (title !== undefined) document.name = title.replaceAll('`', '');
}

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, document) => name(document));
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    // The page is headed by the name of the package already.
    const [first] = project.readme ?? [];
    if (first?.kind === 'text') first.text = first.text.replace(HEADING, '');
    for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
      if (module.name === 'index') app.files.registerReflectionPath(path.resolve('docs/api.md'), module);
      module.name = module.name === 'index' ? 'rumpblk' : `rumpblk/${module.name.split('/').at(-1)}`;
    }
  });
}
