// rumpblk map: what of an image is data, and what is a hole. With --json the keys that `qemu-img map --output=json` prints.
import type { Extent } from '../index.js';
import { EXIT } from './support/failure.js';
import { withImage, type ImageOptions } from './support/image.js';
import { emit, emitJson, table } from './support/report.js';
import { formatExact } from './support/units.js';

export interface MapOptions extends ImageOptions {
  position: number;
  length?: number;
  detectZeroes?: number;
  json?: boolean;
}

export async function mapCommand(file: string, options: MapOptions): Promise<number> {
  const { position, length, detectZeroes } = options;
  const extents = await withImage(file, options, { mode: 'r' }, async (device) => {
    const found: Extent[] = [];
    const range = { position, ...(length !== undefined && { length }), ...(detectZeroes !== undefined && { detectZeroes }) };
    for await (const extent of device.extents(range)) found.push(extent);
    return found;
  });
  await (options.json === true ? emitJson(extents.map(toRow)) : emit(render(extents)));
  return EXIT.ok;
}

function toRow({ position, length, type, depth, offset }: Extent): object {
  const isData = type === 'data';
  const present = type !== 'unallocated';
  return { start: position, length, depth, present, zero: !isData, data: isData, ...(offset !== undefined && { offset }) };
}

function render(extents: readonly Extent[]): string {
  const rows = extents.map(({ position, length, type, depth, offset }) => [
    formatExact(position),
    formatExact(length),
    type,
    String(depth),
    offset === undefined ? '-' : formatExact(offset),
  ]);
  return `${table(['>start', '>bytes', 'type', '>depth', '>offset'], rows)}\n`;
}
