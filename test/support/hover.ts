// What an editor shows of the public names: the language service of TypeScript over the declarations of the built package.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { ROOT } from './child';

/** What is shown where the pointer rests on a name. */
export interface Hover {
  /** `BlockDevice.read`, `FaultAction.stall.every`. */
  readonly path: string;
  readonly kind: 'call' | 'class' | 'property' | 'type' | 'value';
  /** The type as it was written, of a property, or of what a call returns. */
  readonly type: string;
  readonly isOptional: boolean;
  readonly text: string;
  readonly tags: readonly { readonly name: string; readonly text: string }[];
  /** Names of parameters. */
  readonly parameters: readonly string[];
}

const DIST = path.join(ROOT, 'dist') + path.sep;

function serviceOf(files: readonly string[]): ts.LanguageService {
  const settings: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    types: ['node'],
    strict: true,
  };
  return ts.createLanguageService({
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    readDirectory: ts.sys.readDirectory,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
    getScriptFileNames: () => [...files],
    getScriptVersion: () => '1',
    getScriptSnapshot: (file) => (ts.sys.fileExists(file) ? ts.ScriptSnapshot.fromString(readFileSync(file, 'utf8')) : undefined),
    getCurrentDirectory: () => ROOT,
    getCompilationSettings: () => settings,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
  });
}

function kindOf(node: ts.Declaration): Hover['kind'] {
  if (ts.isClassDeclaration(node)) return 'class';
  if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return 'type';
  if (ts.isPropertySignature(node) || ts.isPropertyDeclaration(node) || ts.isAccessor(node)) return 'property';
  return ts.isFunctionLike(node) ? 'call' : 'value';
}

/** Whether nobody outside can name a member. */
function isHidden(member: ts.ClassElement | ts.TypeElement): boolean {
  const isClosed = (ts.getCombinedModifierFlags(member) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) !== 0;
  const isPrivate = member.name !== undefined && ts.isPrivateIdentifier(member.name);
  return isClosed || isPrivate || ts.getJSDocTags(member).some(({ tagName }) => tagName.text === 'internal');
}

/** The members of a declaration that stand in it, also in the parts of a union and in a literal within a literal. */
function membersOf(node: ts.Node): (ts.ClassElement | ts.TypeElement)[] {
  if (ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node) || ts.isTypeLiteralNode(node)) {
    return [...node.members].filter((member) => member.name !== undefined && !ts.isComputedPropertyName(member.name) && !isHidden(member));
  }
  if (ts.isUnionTypeNode(node) || ts.isIntersectionTypeNode(node)) return node.types.flatMap(membersOf);
  if (ts.isTypeAliasDeclaration(node) || ts.isParenthesizedTypeNode(node)) return membersOf(node.type);
  // Fields of what a call returns are told by its @returns.
  return (ts.isPropertySignature(node) || ts.isPropertyDeclaration(node)) && node.type !== undefined ? membersOf(node.type) : [];
}

class Reader {
  readonly found: Hover[] = [];
  readonly #seen = new Set<ts.Node>();
  readonly #service: ts.LanguageService;
  readonly #checker: ts.TypeChecker;

  constructor(readonly files: readonly string[]) {
    this.#service = serviceOf(files);
    const program = this.#service.getProgram();
    if (program === undefined) throw new Error('no program');
    this.#checker = program.getTypeChecker();
    for (const file of files) {
      const source = program.getSourceFile(file);
      const module = source && this.#checker.getSymbolAtLocation(source);
      if (module === undefined) throw new Error(`${file} exports nothing`);
      for (const symbol of this.#checker.getExportsOfModule(module)) this.#visit(symbol);
    }
  }

  #visit(given: ts.Symbol): void {
    const symbol = given.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(given) : given;
    for (const node of symbol.declarations ?? []) {
      if (ts.isTypeParameterDeclaration(node) || !node.getSourceFile().fileName.startsWith(DIST)) continue;
      this.#read(node, symbol.name);
      this.#followTypes(node);
    }
  }

  #read(node: ts.Declaration, name: string): void {
    if (this.#seen.has(node)) return;
    this.#seen.add(node);
    const at = (ts.getNameOfDeclaration(node) ?? node).getStart();
    const info = this.#service.getQuickInfoAtPosition(node.getSourceFile().fileName, at);
    this.found.push({
      path: name,
      kind: kindOf(node),
      type: (node as ts.PropertySignature).type?.getText() ?? '',
      isOptional: (node as ts.PropertySignature).questionToken !== undefined,
      text: ts.displayPartsToString(info?.documentation),
      tags: (info?.tags ?? []).map((tag) => ({ name: tag.name, text: ts.displayPartsToString(tag.text) })),
      parameters: ts.isFunctionLike(node) ? node.parameters.map((parameter) => parameter.name.getText()) : [],
    });
    for (const member of membersOf(node)) this.#read(member, `${name}.${member.name?.getText()}`);
  }

  /** Names of types that a declaration mentions are public as well. */
  #followTypes(node: ts.Node): void {
    if (ts.isJSDoc(node) || ((ts.isClassElement(node) || ts.isTypeElement(node)) && isHidden(node))) return;
    if (ts.isTypeReferenceNode(node)) {
      const symbol = this.#checker.getSymbolAtLocation(node.typeName);
      const isNew = symbol !== undefined && !this.#followed.has(symbol);
      if (isNew) {
        this.#followed.add(symbol);
        this.#visit(symbol);
      }
    }
    ts.forEachChild(node, (child) => this.#followTypes(child));
  }

  readonly #followed = new Set<ts.Symbol>();
}

/** Everything that an editor can show of the package. */
export function hovers(): Hover[] {
  const { exports } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    exports: Record<string, { require?: { types: string } }>;
  };
  const files = Object.values(exports).flatMap(({ require }) => (require === undefined ? [] : [path.join(ROOT, require.types)]));
  return new Reader(files).found;
}
