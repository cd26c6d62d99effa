// TypeScript of this folder for a thread or a process of its own, which jest does not transform: the text of a CommonJS
// script. It finds the package by name when it runs in ROOT.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { transformSync } from '@swc/core';

export function compiled(file: string): string {
  const source = readFileSync(path.join(__dirname, file), 'utf8');
  const { code } = transformSync(source, {
    filename: file,
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'commonjs' },
  });
  return code;
}
