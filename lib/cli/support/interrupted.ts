// What a command says when a signal has ended it.
import { existsSync } from 'node:fs';
import type { Progress } from './progress.js';
import { mediumKind } from './source.js';

/** How far it had come, and what has become of its target. */
export function interruptedText(progress: Progress, target?: string): string {
  const { text } = progress.reached();
  const amount = text === '' ? 'interrupted' : `interrupted after ${text}`;
  if (target === undefined || mediumKind(target) !== undefined) return amount;
  return existsSync(target) ? `${amount}: '${target}' has a part of it` : `${amount}: '${target}' was removed`;
}
