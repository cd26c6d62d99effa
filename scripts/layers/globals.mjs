// Rule: no mutable state of the process in native code, whether at namespace scope, as a static member or as a static of a
// function. A reader of declarations rather than of C++: it knows braces, statements and a few words.

/** File -> why it may. */
const ALLOWED = new Map([
  ['native/core/host/page_guard.cc', 'a signal disposition belongs to the process'],
  ['native/core/host/host_io_posix.cc', 'the one host, an object without state'],
]);

/** What opens at a brace, by the words in front of it. */
function scopeOf(head) {
  if (/^(inline )?namespace\b|^extern$/.test(head)) return 'namespace';
  if (/^(template\b.*\s)?(class|struct|union)\b[^()=]*$/.test(head.replace(/\b[A-Z_]+\([^()]*\)|alignas\([^()]*\)/g, ''))) return 'class';
  if (/^(inline |constexpr |static |const )*enum\b/.test(head)) return 'value';
  if (/[)]( (const|noexcept|override|final|mutable|&+|->.*|: .*|[A-Z_]+\(.*\)))*$/.test(head)) return 'function';
  return /[\w>\])*&]$|=$|,$|\($/.test(head) && !/^(else|do|try)\b/.test(head) ? 'value' : 'function';
}

/** The text without what stands in parentheses. */
function collapse(text) {
  const shorter = text.replace(/\([^()]+\)/g, '()');
  return shorter === text ? text : collapse(shorter.replaceAll('(())', '()'));
}

/** Whether a declaration makes a variable that can change. */
function isMutableVariable(statement, scope) {
  if (statement === '' || /^(using|typedef|static_assert|friend|template|class|struct|enum|union|extern "|namespace)\b/.test(statement)) {
    return /^(class|struct|enum|union)\b.*[}] *\w/.test(statement);
  }
  if (scope !== 'namespace' && !/\b(static|thread_local)\b/.test(statement)) return false;
  if (/\bconstexpr\b|\bconsteval\b/.test(statement)) return false;
  const declared = collapse(statement).split(/[={]/, 1)[0].trim();
  const isFunction = scope !== 'function' && /\)( (const|noexcept|override))*$|\) /.test(declared);
  if (isFunction || !/\s\S*\w+(\[[^\]]*\])?(\s*\(\))?$/.test(declared)) return false;
  const isConst = /\*/.test(declared) ? /\*\s*const\b/.test(declared) : /\bconst\b/.test(declared);
  return !isConst;
}

/** @param {string} file @param {string} text without comments and literals */
export function globalsRule(file, text) {
  if (!/^native\/(core|serve|lab|addon)\//.test(file) || ALLOWED.has(file)) return [];
  const breaches = [];
  const scopes = ['namespace'];
  let statement = '';
  const end = () => {
    const scope = scopes.at(-1);
    const tidy = statement
      .replace(/\b(public|private|protected):/g, '')
      .replace(/\b[A-Z_]*GUARDED_BY\([^()]*\)/g, '')
      .replace(/\s+/g, ' ')
      .trim();
    if (scope !== 'value' && isMutableVariable(tidy, scope)) breaches.push(`mutable state of the process: ${tidy}`);
    statement = '';
  };
  for (const symbol of text.replace(/^\s*#.*(\\\n.*)*$/gm, '')) {
    if (symbol === '{') {
      const head = statement
        .replace(/\b(public|private|protected):/g, '')
        .replace(/\s+/g, ' ')
        .trim();
      const inside = scopes.at(-1) === 'value' ? 'value' : scopeOf(head);
      scopes.push(inside);
      // The braces of a value belong to its declaration; a body begins afresh.
      statement = inside === 'value' ? `${statement}{` : '';
    } else if (symbol === '}') {
      const closed = scopes.pop();
      statement = closed === 'value' ? `${statement}}` : '';
      if (scopes.length === 0) scopes.push('namespace');
    } else if (symbol === ';' && scopes.at(-1) !== 'value') {
      end();
    } else {
      statement += symbol;
    }
  }
  return breaches;
}
