// The public surface as one Markdown page.

const anchorOf = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-');
const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (text) => `\`${text}\``;

/** Renders the page. */
export class Page {
  #lines = [];
  #headings = new Map();
  #told = new Set();

  /**
   * @typedef {{ exported: import('./declarations.mjs').Item[], mentioned: import('./declarations.mjs').Item[] }} Surface
   * @param {Surface} main the package itself
   * @param {(Surface & { entry: string })[]} more its other entries
   */
  constructor({ exported, mentioned }, more = []) {
    for (const surface of [{ exported, mentioned }, ...more]) {
      for (const { name } of [...surface.exported, ...surface.mentioned]) this.#headings.set(name, anchorOf(name));
    }
    const others = more.map(({ entry }) => `[${code(entry)}](#${anchorOf(entry)})`).join(', ');
    this.#say(
      '# API',
      `Everything that \`import\` and \`require\` of \`rumpblk\` give, and after that what its other entries give: ${others}. This page is made from the docstrings in \`lib/\` by \`npm run docs\`; change them, not it.`,
      'A method with a twin whose name ends in `Sync` returns a promise; the twin does the same on the calling thread and throws where the promise' +
        ' rejects. Besides the errors that are listed, every call answers a wrong argument with a `TypeError` or `RangeError` of' +
        " Node's codes before anything is touched; [errors.md](errors.md) explains all codes.",
    );
    this.#contents(exported, mentioned);
    for (const item of exported) this.#item(item);
    this.#say('## Types that are used above', 'They have no export of their own.');
    for (const item of mentioned) this.#item(item, '###');
    for (const surface of more) this.#entry(surface);
  }

  #entry({ entry, exported, mentioned }) {
    this.#say(`# ${entry}`);
    this.#contents(exported, mentioned);
    for (const item of [...exported, ...mentioned]) this.#item(item);
  }

  get text() {
    return `${this.#lines.join('\n\n')}\n`;
  }

  #say(...paragraphs) {
    this.#lines.push(...paragraphs.filter((paragraph) => paragraph !== ''));
  }

  #contents(exported, mentioned) {
    const kinds = [
      ['Functions', 'function'],
      ['Classes', 'class'],
      ['Interfaces', 'interface'],
      ['Types', 'type'],
      ['Constants', 'constant'],
    ];
    const rows = kinds.map(([title, kind]) => [title, exported.filter((item) => item.kind === kind)]);
    const all = [...rows, ['Used, not exported', mentioned]].filter(([, items]) => items.length > 0);
    this.#say(all.map(([title, items]) => `- ${title}: ${items.map(({ name }) => this.#link(name)).join(', ')}`).join('\n'));
  }

  #link(name) {
    return `[${code(name)}](#${this.#headings.get(name)})`;
  }

  /** Docstrings link with {@link Name}; error codes outside of code stand out. */
  #prose(text) {
    const linked = text.replace(/\{@link (\w+)\}/g, (_, name) => (this.#headings.has(name) ? this.#link(name) : code(name)));
    return linked.replace(/`[^`]*`|\bE(?:RR_)?[A-Z][A-Z_]+\b/g, (found) => (found.startsWith('`') ? found : code(found)));
  }

  #type(text) {
    return this.#headings.has(text) ? this.#link(text) : code(cell(text));
  }

  /** Once, by the first entry that has it. */
  #item(item, mark = '##') {
    if (this.#told.has(item.name)) return;
    this.#told.add(item.name);
    this.#say(`${mark} ${item.name}`, ['```ts', item.signature, '```'].join('\n'));
    this.#doc(item.doc);
    const properties = item.members.filter(({ kind }) => kind === 'property');
    if (properties.length > 0) this.#table(properties);
    for (const member of item.members.filter(({ kind }) => kind === 'method')) {
      const parameters = member.doc.tags.filter(({ tag }) => tag === 'param').map(({ name }) => name);
      const prefix = member.signature.startsWith('static ') ? `${item.name}.` : '';
      const title = member.name === 'constructor' ? `new ${item.name}` : `${prefix}${member.name}`;
      this.#say(`${mark}# ${code(`${title}(${parameters.join(', ')})`)}`, ['```ts', member.signature, '```'].join('\n'));
      this.#doc(member.doc);
    }
  }

  #table(properties) {
    const rows = properties.map(({ name, type, doc }) => `| ${code(name)} | ${this.#type(type)} | ${cell(this.#prose(doc.text))} |`);
    this.#say(['| property | type | |', '|---|---|---|', ...rows].join('\n'));
  }

  #doc({ text, tags }) {
    this.#say(this.#prose(text));
    const facts = tags.flatMap(({ tag, name, type, text: lines }) => {
      const what = lines.replace(/\s*\n\s*/g, ' ');
      if (tag === 'param') return [`- ${code(name)}: ${this.#prose(what)}`];
      if (tag === 'returns') return [`- returns ${this.#prose(what)}`];
      if (tag === 'throws') return [`- throws ${type === '' ? '' : `${this.#type(type)}: `}${this.#prose(what)}`];
      return [];
    });
    this.#say(facts.join('\n'));
    for (const { text: example } of tags.filter(({ tag }) => tag === 'example')) this.#say(['```js', example, '```'].join('\n'));
  }
}

/** What a caller can name and finds no docstring for. */
export function undocumented({ exported, mentioned }) {
  return [...exported, ...mentioned].flatMap((item) => [
    ...(item.doc.text === '' ? [item.name] : []),
    ...item.members.filter(({ doc }) => doc.text === '').map(({ name }) => `${item.name}.${name}`),
  ]);
}

/** What a caller can call and finds no example for: functions, classes, and methods that have a name of their own. */
export function unexampled({ exported, mentioned }) {
  const lacks = ({ doc }) => !doc.tags.some(({ tag }) => tag === 'example');
  return [...exported, ...mentioned].flatMap((item) => [
    ...(['function', 'class'].includes(item.kind) && lacks(item) ? [item.name] : []),
    ...item.members
      .filter((member) => member.kind === 'method' && !member.name.startsWith('[') && lacks(member))
      .map(({ name }) => `${item.name}.${name}`),
  ]);
}
