// A worker thread of a crash test: loads the recording, then checks the states whose tokens it is sent.
import { parentPort, workerData } from 'node:worker_threads';
import { choiceOfState } from './crash-state.js';
import { importCheck } from './import-check.js';
import { Judge, type Verdict } from './judge.js';
import { loadRecording } from './load-recording.js';
import { recordingOf } from './recorder.js';
import type { WorkerAnswer, WorkerStart } from './workers.js';

const port = parentPort;

async function start(): Promise<void> {
  const { file, module, memo } = workerData as WorkerStart;
  const check = await importCheck(module);
  const recorder = await loadRecording(file);
  const judge = new Judge(recordingOf(recorder, 'recorder'), check, memo);
  let turn = Promise.resolve();
  port?.on('message', (token: string) => {
    // One after the other: the answers have to come in the order of the questions.
    turn = turn.then(async () => {
      try {
        const before = judge.fromMemo;
        const verdict = await judge.judge(choiceOfState(recorder.fromToken(token)));
        answer({ verdict: sendable(verdict), fromMemo: judge.fromMemo > before });
      } catch (error) {
        answer({ fromMemo: false, broken: asError(error) });
      }
    });
  });
  answer({ fromMemo: false });
}

function answer(message: WorkerAnswer): void {
  port?.postMessage(message);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new TypeError(String(error));
}

/** What was thrown may be what no message can hold. */
function sendable(verdict: Verdict): Verdict {
  try {
    return structuredClone(verdict);
  } catch {
    return { failed: verdict.failed, error: String(verdict.error) };
  }
}

start().catch((error: unknown) => answer({ fromMemo: false, broken: asError(error) }));
