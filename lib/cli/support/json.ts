// JSON that a command is given: a file, or standard input for `-`.
import { readFile } from 'node:fs/promises';
import { UsageError, withPath } from './failure.js';
import { STANDARD } from './streams.js';

export async function readJson(name: string): Promise<unknown> {
  const text = name === STANDARD ? await standardInput() : await fileText(name);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new UsageError(`${name === STANDARD ? 'standard input' : `'${name}'`} is not JSON: ${String(error)}`);
  }
}

async function fileText(name: string): Promise<string> {
  try {
    return await readFile(name, 'utf8');
  } catch (error) {
    throw withPath(error, name);
  }
}

async function standardInput(): Promise<string> {
  if (process.stdin.isTTY) throw new UsageError('not reading from a terminal: give a FILE of JSON, or a pipe');
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
