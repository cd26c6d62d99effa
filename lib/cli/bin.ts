#!/usr/bin/env node
// What the shell runs: loads the tool and runs it. An addon that cannot be loaded is a line on stderr, as every other failure.
import { printable, printableJson } from '../arguments/printable.js';

interface Failure {
  code?: unknown;
  message: string;
}

function loadFailed(error: unknown): number {
  const { code, message } = error as Failure;
  if (code !== 'ERR_DLOPEN_FAILED') throw error;
  process.stderr.write(`${printable(message)}\n`);
  if (process.argv.includes('--json')) process.stdout.write(`${printableJson({ error: { code, message } })}\n`);
  return 1;
}

void import('./main.js').then(({ main }) => main(process.argv.slice(2)), loadFailed).then((status) => (process.exitCode = status));
