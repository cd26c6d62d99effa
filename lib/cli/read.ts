// rumpblk read: a byte range of the device to a file or a pipe.
import type { BlockDevice } from '../index.js';
import { EXIT, UsageError } from './failure.js';
import { isSameFile, withImage, type ImageOptions } from './image.js';
import { emitJson, note } from './report.js';
import { openSink, PIECE, STANDARD, type Sink } from './streams.js';

export interface ReadOptions extends ImageOptions {
  position: number;
  length?: number;
  output?: string;
  json?: boolean;
}

export async function readCommand(file: string, options: ReadOptions): Promise<number> {
  const output = options.output ?? STANDARD;
  refuseOutput(file, options, output);
  const { position, length } = options;
  const report = await withImage(file, options, { mode: 'r' }, async (device, driver) => {
    const bytesRead = await copyOut(device, options, output);
    return { file, position, bytesRead, output, access: device.access, counters: driver.counters() };
  });
  if (length !== undefined && report.bytesRead < length) {
    note(`the device ends here: ${report.bytesRead} of ${length} bytes read`);
  }
  if (options.json === true) await emitJson(report);
  return EXIT.ok;
}

function refuseOutput(file: string, options: ReadOptions, output: string): void {
  const standard = output === STANDARD;
  if (standard && options.json === true) throw new UsageError('--json takes stdout for its document: give -o FILE for the data');
  if (standard && options.output === undefined && process.stdout.isTTY) {
    throw new UsageError('not writing raw data to a terminal: give -o FILE, a pipe, or -o - to insist');
  }
  if (isSameFile(file, standard ? process.stdout.fd : output)) {
    throw new UsageError(`the output is '${file}' itself`);
  }
}

/** Copies the range and gives the bytes moved. The output is opened only when the first read has succeeded: a failure before that leaves it alone. */
async function copyOut(device: BlockDevice, options: ReadOptions, output: string): Promise<number> {
  // One byte at least, so that the device itself says what it thinks of a position beyond its end.
  const wanted = options.length ?? Math.max(1, device.size - options.position);
  const piece = Buffer.allocUnsafe(Math.min(PIECE, wanted));
  let sink: Sink | undefined;
  let moved = 0;
  try {
    do {
      const length = Math.min(piece.byteLength, wanted - moved);
      const { bytesRead } = await device.read(piece, options.position + moved, { length });
      sink ??= await openSink(output);
      await sink.write(piece.subarray(0, bytesRead));
      moved += bytesRead;
      if (bytesRead < length) break;
    } while (moved < wanted);
  } finally {
    await sink?.close();
  }
  return moved;
}
