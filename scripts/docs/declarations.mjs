// What lib/index.ts and the other entries export, with the docstrings, as plain objects. Read from the syntax alone, so that a signature appears as
// it was written: `Bytes` says more than the `number` that a type checker makes of it.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

/**
 * @typedef {{ tag: string, name: string, type: string, text: string }} Tag
 * @typedef {{ text: string, tags: Tag[] }} Doc
 * @typedef {{ name: string, kind: 'property' | 'method', signature: string, type: string, doc: Doc }} Member
 * @typedef {{ name: string, kind: 'function' | 'class' | 'interface' | 'type' | 'constant', signature: string, doc: Doc, members: Member[], uses: string[] }} Item
 */

/** Reads a docstring; empty for a declaration without one. */
function docOf(node) {
  const comments = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
  const last = comments.at(-1);
  const tags = (last?.tags ?? []).map((tag) => ({
    tag: tag.tagName.text,
    name: ts.isJSDocParameterTag(tag) ? tag.name.getText() : '',
    type: tag.typeExpression?.type.getText() ?? '',
    text: (ts.getTextOfJSDocComment(tag.comment) ?? '').replace(/^- /, ''),
  }));
  return { text: ts.getTextOfJSDocComment(last?.comment) ?? '', tags };
}

/** The declaration without its body, its modifiers of no interest and its docstring, on one line where it was short. */
function signatureOf(node) {
  const start = node.modifiers?.find(({ kind }) => kind === ts.SyntaxKind.StaticKeyword) ?? node.name;
  const keyword = ts.isFunctionDeclaration(node) ? 'function ' : ts.isConstructorDeclaration(node) ? '' : undefined;
  const from = keyword === '' ? node.getStart() : (keyword === undefined ? start : node.name).getStart();
  const text = node.getSourceFile().text;
  const to = node.body?.getStart() ?? node.getEnd();
  const plain = text
    .slice(from, to)
    .trim()
    .replace(/;$/, '')
    .replace(/\boverride /, '');
  return `${keyword ?? ''}${ts.isGetAccessorDeclaration(node) ? plain.replace('()', '') : plain}`;
}

const has = (node, kind) => node.modifiers?.some((modifier) => modifier.kind === kind) === true;

/** Whether a member of a class is none that a caller can name. */
function isHidden(member) {
  if (ts.isClassStaticBlockDeclaration(member) || (member.name !== undefined && ts.isPrivateIdentifier(member.name))) return true;
  if (has(member, ts.SyntaxKind.PrivateKeyword) || has(member, ts.SyntaxKind.ProtectedKeyword)) return true;
  return ts.getJSDocTags(member).some(({ tagName }) => tagName.text === 'internal');
}

/** Members that a caller can name, overloads in place of what implements them. */
function membersOf(node) {
  const all = (node.members ?? []).filter((member) => !isHidden(member));
  const overloaded = new Set(all.filter((member) => ts.isMethodDeclaration(member) && !member.body).map((member) => member.name.getText()));
  return all.filter((member) => !(ts.isMethodDeclaration(member) && member.body && overloaded.has(member.name.getText()))).map(memberOf);
}

function memberOf(node) {
  const isProperty = ts.isPropertySignature(node) || ts.isPropertyDeclaration(node) || ts.isGetAccessorDeclaration(node);
  const optional = node.questionToken !== undefined && isProperty ? '?' : '';
  return {
    name: ts.isConstructorDeclaration(node) ? 'constructor' : node.name.getText() + optional,
    kind: isProperty ? 'property' : 'method',
    signature: signatureOf(node),
    type: node.type?.getText() ?? '',
    doc: docOf(node),
  };
}

/** Names of types that a declaration mentions where a caller sees them. */
function usesOf(node) {
  const names = new Set();
  const visit = (child) => {
    if (ts.isBlock(child) || ts.isJSDoc(child) || (ts.isClassElement(child) && isHidden(child))) return;
    if (ts.isTypeReferenceNode(child)) names.add(child.typeName.getText());
    ts.forEachChild(child, visit);
  };
  visit(node);
  return [...names];
}

function kindOf(node) {
  if (ts.isFunctionDeclaration(node)) return 'function';
  if (ts.isClassDeclaration(node)) return 'class';
  if (ts.isVariableDeclaration(node)) return 'constant';
  return ts.isInterfaceDeclaration(node) ? 'interface' : 'type';
}

function itemOf(node) {
  const kind = kindOf(node);
  const heritage = (node.heritageClauses ?? []).map((clause) => ` ${clause.getText()}`).join('');
  const signature = {
    function: () => signatureOf(node),
    type: () => `type ${node.name.text} = ${node.type.getText()}`,
    constant: () => `const ${node.getText()}`,
  }[kind];
  return {
    name: node.name.text,
    kind,
    signature: signature?.() ?? `${kind} ${node.name.text}${heritage}`,
    doc: docOf(node),
    members: kind === 'class' || kind === 'interface' ? membersOf(node) : [],
    uses: usesOf(node),
  };
}

/** Every function, class, interface, type and constant that is declared at the top of a file, by name. */
function declarationsOf(file) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  const isItem = (node) =>
    ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node);
  const nodes = source.statements.flatMap((node) =>
    ts.isVariableStatement(node) ? node.declarationList.declarations : isItem(node) ? [node] : [],
  );
  return { source, named: new Map(nodes.filter(({ name }) => ts.isIdentifier(name)).map((node) => [node.name.text, node])) };
}

/**
 * Reads the public surface of one entry.
 *
 * @param {string} index the file that re-exports it
 * @param {Iterable<string>} told names that need not be mentioned again
 * @returns {{ exported: Item[], mentioned: Item[] }} what it exports, in its order, and the types of the package that those mention
 */
export function readSurface(index, told = []) {
  const files = new Map();
  const read = (file) => files.get(file) ?? files.set(file, declarationsOf(file)).get(file);
  const resolve = (from, specifier) => path.join(path.dirname(from), specifier.replace(/\.js$/, '.ts'));
  const exported = [];
  for (const statement of read(index).source.statements) {
    if (!ts.isExportDeclaration(statement) || !ts.isNamedExports(statement.exportClause)) continue;
    const { named } = read(resolve(index, statement.moduleSpecifier.text));
    for (const { name } of statement.exportClause.elements) {
      if (!named.has(name.text))
        throw new Error(`${name.text}: no declaration that this script knows in ${statement.moduleSpecifier.text}`);
      exported.push(itemOf(named.get(name.text)));
    }
  }
  const known = new Set([...told, ...exported.map(({ name }) => name)]);
  const mentioned = [];
  for (const item of [...exported]) queue(item);
  function queue({ uses }) {
    for (const name of uses) {
      const node = known.has(name) ? undefined : [...files.values()].map(({ named }) => named.get(name)).find(Boolean);
      if (node === undefined) continue;
      known.add(name);
      mentioned.push(itemOf(node));
      queue(mentioned.at(-1));
    }
  }
  return { exported, mentioned };
}
