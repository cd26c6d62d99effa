// The public functions of the package as they are found in its exports: nothing here names them one by one.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { jest } from '@jest/globals';
import { ROOT } from './child';

/** How a function is called; a value that is no function is not one of these. */
export interface Entry {
  name: string;
  kind: 'function' | 'class' | 'method' | 'getter';
  code: (...args: never[]) => unknown;
}

/** Node 20 names some symbols otherwise than later ones. */
const label = (key: PropertyKey): string =>
  typeof key === 'symbol' ? `[${(key.description ?? '').replace(/^nodejs/, 'Symbol')}]` : String(key);

/** The methods and accessors of one object, which are called as `name` + key. */
export function membersOf(name: string, holder: object, skip: readonly PropertyKey[] = ['constructor']): Entry[] {
  return Reflect.ownKeys(holder).flatMap((key): Entry[] => {
    const descriptor = Object.getOwnPropertyDescriptor(holder, key)!;
    const code = (descriptor.get ?? descriptor.value) as Entry['code'];
    if (typeof code !== 'function' || skip.includes(key)) return [];
    return [{ name: `${name}${label(key)}`, kind: descriptor.get ? 'getter' : 'method', code }];
  });
}

const isClass = (code: unknown): boolean => typeof code === 'function' && code.toString().startsWith('class');

/** Every function that `exported` gives to a caller: functions, classes, their static members and their prototypes. */
export function functionsOf(exported: object): Entry[] {
  return Object.entries(exported).flatMap(([name, code]): Entry[] => {
    if (!isClass(code)) return typeof code === 'function' ? [{ name, kind: 'function', code: code as Entry['code'] }] : [];
    const { prototype } = code as { prototype: object };
    return [
      { name, kind: 'class', code: code as Entry['code'] },
      ...membersOf(`${name}.`, code as object, ['prototype', 'length', 'name']),
      ...membersOf(`${name}#`, prototype),
    ];
  });
}

/** What `require` gives for every entry of the package. */
export function entryPoints(): object[] {
  const { exports } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { require?: { default: string } }>;
  };
  const files = Object.values(exports).flatMap((entry) => (typeof entry === 'object' && entry.require ? [entry.require.default] : []));
  return files.map((file) => jest.requireActual<object>(path.join(ROOT, file)));
}
