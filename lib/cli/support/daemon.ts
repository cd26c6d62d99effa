// A command that goes on in the background: the parent waits until its child says that it is ready.
import { spawn } from 'node:child_process';
import { EXIT } from './failure.js';

/** What makes the child of a command line; not shown in the help. */
export const FORKED = '--forked';
const READY = 'rumpblk: ready';

/**
 * Runs this command line again in a session of its own, and waits until it is ready or has ended. What it says on stderr before that is passed
 * on; nothing of it holds a descriptor of this process afterwards.
 *
 * @param flag the option of the command line that asks for it
 * @returns the exit status of this process
 */
export async function goOnInBackground(flag: string): Promise<number> {
  const [node, script = '', ...args] = process.argv;
  const words = [...process.execArgv, script, ...args.map((word) => (word === flag ? FORKED : word))];
  const child = spawn(node ?? process.execPath, words, { detached: true, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  child.stderr?.on('data', (text: Buffer) => process.stderr.write(text));
  const status = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('message', (message) => {
      if (message === READY) resolve(EXIT.ok);
    });
    child.on('close', (code) => resolve(code ?? EXIT.failed));
  });
  child.stderr?.destroy();
  if (child.connected) child.disconnect();
  child.unref();
  return status;
}

/** Tells the parent, if there is one, that this child is ready, and lets go of it. */
export function sayReady(): void {
  if (process.send === undefined) return;
  process.send(READY, () => process.disconnect());
}
