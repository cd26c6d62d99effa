// The block map of an image in bmaptool's XML, version 2.0: which blocks are data, with their digests, so that bmaptool copies and
// checks those alone.
import { createHash } from 'node:crypto';
import { constants } from 'node:os';
import { BlockDeviceError, type BlockDevice } from '../index.js';
import { formatBytes } from './support/units.js';

/** Bytes of a block of the map, the last one of an image may be shorter. */
const BLOCK = 4096;
/** Bytes that are read at a time, and reads under way at once. */
const CHUNK = 1 << 20;
const AHEAD = 4;
const ALGORITHM = 'sha256';
/** What stands in the place of the map's own checksum while that is computed. */
const UNKNOWN = '0'.repeat(64);

/** Neighbouring blocks that are data. */
interface BlockRange {
  readonly first: number;
  /** The last of them, which is one of them. */
  readonly last: number;
  readonly checksum: string;
}

/** A block map, not yet in words. */
export interface BlockMap {
  readonly imageSize: number;
  readonly ranges: readonly BlockRange[];
}

export interface BlockMapOptions {
  /** Leaves out what is zeros inside of data, in steps of so many bytes. */
  readonly detectZeroes?: number;
  /** Is told up to where the image was looked at. */
  readonly onProgress?: (bytes: number) => void;
}

/** Reads what is data of a device. */
export async function blockMapOf(device: BlockDevice, options: BlockMapOptions): Promise<BlockMap> {
  const ranges: BlockRange[] = [];
  let hash = createHash(ALGORITHM);
  for await (const { data, position, range } of readAhead(device, options)) {
    hash.update(data);
    options.onProgress?.(position + data.length);
    if (position + data.length < endOf(device, range)) continue;
    ranges.push({ ...range, checksum: hash.digest('hex') });
    hash = createHash(ALGORITHM);
  }
  return { imageSize: device.size, ranges };
}

type Blocks = Omit<BlockRange, 'checksum'>;

/** Where a range ends, in bytes. */
function endOf({ size }: BlockDevice, { last }: Blocks): number {
  return Math.min(size, (last + 1) * BLOCK);
}

/** The blocks in which there is data, neighbours as one range. */
async function* dataBlocks(device: BlockDevice, { detectZeroes }: BlockMapOptions): AsyncGenerator<Blocks, void> {
  let held: { first: number; last: number } | undefined;
  for await (const { type, position, length } of device.extents(detectZeroes === undefined ? {} : { detectZeroes })) {
    if (type !== 'data') continue;
    const [first, last] = [Math.floor(position / BLOCK), Math.ceil((position + length) / BLOCK) - 1];
    if (held !== undefined && first <= held.last + 1) {
      held.last = last;
      continue;
    }
    if (held !== undefined) yield held;
    held = { first, last };
  }
  if (held !== undefined) yield held;
}

interface Chunk {
  readonly range: Blocks;
  readonly position: number;
  /** Holds until the next chunk is asked for. */
  readonly data: Buffer;
}

/** The bytes of all ranges, in order, with several reads under way. */
async function* readAhead(device: BlockDevice, options: BlockMapOptions): AsyncGenerator<Chunk, void> {
  // One more than are under way: that which was handed out.
  const memory = Array.from({ length: AHEAD + 1 }, () => Buffer.allocUnsafeSlow(Math.min(CHUNK, device.size)));
  const underWay: Promise<Chunk>[] = [];
  let reads = 0;
  for await (const range of dataBlocks(device, options)) {
    for (let position = range.first * BLOCK; position < endOf(device, range); position += CHUNK) {
      const room = memory[reads % memory.length] as Buffer;
      const data = room.subarray(0, Math.min(CHUNK, endOf(device, range) - position));
      const read = device.read(data, position).then(({ bytesRead }) => {
        if (bytesRead < data.length) throw endedError(device, bytesRead);
        return { range, position, data };
      });
      read.catch(() => undefined); // whoever awaits it hears of it
      underWay.push(read);
      reads += 1;
      if (underWay.length === AHEAD) yield await (underWay.shift() as Promise<Chunk>);
    }
  }
  for (const read of underWay) yield await read;
}

/** It lost its end since its extents were listed. */
function endedError({ path, minor }: BlockDevice, bytesTransferred: number): BlockDeviceError {
  return new BlockDeviceError({ errno: -constants.errno.EIO, syscall: 'read', path, minor, bytesTransferred });
}

/** The map in words, line by line. */
export function* bmapLines(map: BlockMap): Generator<string, void> {
  const hash = createHash(ALGORITHM);
  for (const line of linesOf(map, UNKNOWN)) hash.update(line);
  yield* linesOf(map, hash.digest('hex'));
}

function* linesOf({ imageSize, ranges }: BlockMap, checksum: string): Generator<string, void> {
  const blocks = Math.ceil(imageSize / BLOCK);
  const mapped = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const share = blocks === 0 ? 0 : (mapped / blocks) * 100;
  yield `<?xml version="1.0" ?>
<!-- The blocks of an image that hold data. bmaptool copies and checks these alone. -->
<bmap version="2.0">
    <!-- Bytes of the image: ${formatBytes(imageSize)} -->
    <ImageSize> ${imageSize} </ImageSize>
    <BlockSize> ${BLOCK} </BlockSize>
    <BlocksCount> ${blocks} </BlocksCount>
    <!-- ${formatBytes(mapped * BLOCK)}, ${share.toFixed(1)} % -->
    <MappedBlocksCount> ${mapped} </MappedBlocksCount>
    <ChecksumType> ${ALGORITHM} </ChecksumType>
    <!-- Of this file, with a 0 for each of these digits -->
    <BmapFileChecksum> ${checksum} </BmapFileChecksum>
    <BlockMap>
`;
  for (const { first, last, checksum: digest } of ranges) {
    yield `        <Range chksum="${digest}"> ${first === last ? first : `${first}-${last}`} </Range>\n`;
  }
  yield `    </BlockMap>\n</bmap>\n`;
}
