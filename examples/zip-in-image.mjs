// Lists a zip that lies somewhere within a larger image, or prints one file of it, without copying the zip out first.
// yauzl asks for streams over ranges; the device answers them, and reaches nothing outside of its own range.
//
//   npm install rumpblk yauzl
//   node zip-in-image.mjs firmware.img 1048576 524288           the zip has 524288 bytes from 1048576 on
//   node zip-in-image.mjs firmware.img 1048576 524288 notes.txt
import { pipeline } from 'node:stream/promises';
import { open } from 'rumpblk';
import { createReadStream } from 'rumpblk/fs';
import yauzl from 'yauzl';

/** Where yauzl reads. No stream of it closes the device. */
class DeviceReader extends yauzl.RandomAccessReader {
  constructor(device) {
    super();
    this.device = device;
  }

  _readStreamForRange(start, end) {
    return createReadStream(this.device, { start, end: end - 1 }); // `end` of yauzl is the byte behind the last one
  }
}

const [path, offset, size, wanted] = process.argv.slice(2);
if (size === undefined) {
  console.error('usage: node zip-in-image.mjs IMAGE OFFSET SIZE [NAME]');
  process.exit(2);
}

const device = await open(path, { offset: Number(offset), size: Number(size) });
try {
  const zip = await yauzl.fromRandomAccessReaderPromise(new DeviceReader(device), device.size);
  let found = wanted === undefined;
  for await (const entry of zip.eachEntry()) {
    if (wanted === undefined) console.log(`${String(entry.uncompressedSize).padStart(10)} ${entry.fileName}`);
    if (entry.fileName !== wanted) continue;
    found = true;
    await pipeline(await zip.openReadStreamPromise(entry), process.stdout, { end: false });
  }
  if (!found) {
    console.error(`no '${wanted}' in the zip`);
    process.exitCode = 1;
  }
} finally {
  await device.close();
}
