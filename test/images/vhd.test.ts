// Issue 15, item 5: fixed VHD images, which are the bytes of the disk and a footer. QEMU's programs make and judge them.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { open, openSync } from 'rumpblk';
import { failure } from '../support/failure';
import { peer, testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const withQemu = testWith(peer('qemu-img', 'qemu-utils'));

function img(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('qemu-img', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`qemu-img ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

let names = 0;
function vhd(content: Uint8Array, options = 'subformat=fixed,force_size=on'): { file: string; raw: string } {
  const raw = bench.image(content);
  const file = bench.path(`v${(names += 1)}.vhd`);
  img('convert', '-f', 'raw', '-O', 'vpc', '-o', options, raw, file);
  return { file, raw };
}

describe('a fixed VHD', () => {
  withQemu('has the bytes of the disk, and is one for auto', () => {
    const content = pattern(3 * MiB);
    const { file } = vhd(content);
    for (const format of ['vhd', 'auto'] as const) {
      using device = openSync(file, { format });
      expect(device.size).toBe(3 * MiB);
      const bytes = Buffer.alloc(device.size);
      device.readSync(bytes, 0);
      expect(bytes.equals(content)).toBe(true);
    }
  });

  withQemu('is written by every access, up to its last byte, and keeps its footer', async () => {
    for (const access of ['auto', 'mmap', 'pio'] as const) {
      const { file, raw } = vhd(pattern(3 * MiB));
      const footer = readFileSync(file).subarray(3 * MiB);
      expect(footer.length).toBe(512);
      {
        await using device = await open(file, { format: 'vhd', mode: 'r+', access });
        const model = readFileSync(raw);
        for (const [position, length] of [
          [0, 512],
          [12345, 70000],
          [3 * MiB - 777, 777],
        ] as const) {
          const data = pattern(length, position + 2);
          await device.write(data, position);
          data.copy(model, position);
        }
        writeFileSync(raw, model);
        const short = await device.write(Buffer.alloc(1024, 1), 3 * MiB - 512, { fua: true });
        expect(short.bytesWritten).toBe(512);
        model.fill(1, 3 * MiB - 512);
        writeFileSync(raw, model);
      }
      expect(
        readFileSync(file)
          .subarray(3 * MiB)
          .equals(footer),
      ).toBe(true);
      expect(img('compare', '-f', 'vpc', '-F', 'raw', file, raw)).toContain('identical');
    }
  });

  withQemu('with a footer of 511 bytes, as older programs wrote it (issue 15)', async () => {
    const content = pattern(MiB);
    const { file } = vhd(content);
    const bytes = readFileSync(file);
    expect(bytes.readUInt8(bytes.length - 1)).toBe(0);
    writeFileSync(file, bytes.subarray(0, bytes.length - 1));
    for (const format of ['vhd', 'auto'] as const) {
      await using device = await open(file, { format, mode: 'r+' });
      expect(device.size).toBe(MiB);
      await device.write(Buffer.alloc(777, 5), MiB - 777);
      content.fill(5, MiB - 777);
    }
    expect(readFileSync(file).equals(Buffer.concat([content, bytes.subarray(MiB, -1)]))).toBe(true);
    const raw = bench.path('by-qemu.raw');
    img('convert', '-f', 'vpc', '-O', 'raw', file, raw);
    expect(readFileSync(raw).equals(content)).toBe(true);
    // Half of a footer is none.
    writeFileSync(file, bytes.subarray(0, bytes.length - 2));
    await failure(() => open(file, { format: 'vhd' }), 'EINVAL');
  });

  withQemu('that is dynamic, damaged or cut is refused, with the reason', async () => {
    const dynamic = vhd(pattern(MiB), 'subformat=dynamic,force_size=on').file;
    expect((await failure(() => open(dynamic, { format: 'vhd' }), 'ENOTSUP')).message).toContain('only fixed VHD images');
    expect((await failure(() => open(dynamic, { format: 'auto' }), 'ENOTSUP')).message).toContain('only fixed VHD images');
    const { file } = vhd(pattern(MiB));
    const bytes = readFileSync(file);
    writeFileSync(file, Buffer.concat([bytes.subarray(0, 512 * 1024), bytes.subarray(MiB)]));
    expect((await failure(() => open(file, { format: 'vhd' }), 'EINVAL')).message).toContain('contradicts its size');
    bytes.writeUInt8(bytes.readUInt8(MiB + 100) ^ 1, MiB + 100);
    writeFileSync(file, bytes);
    expect((await failure(() => open(file, { format: 'vhd' }), 'EINVAL')).message).toContain('its checksum does not hold');
  });

  test('is not what an empty or a short file is', async () => {
    for (const size of [0, 1, 511, 512]) {
      await failure(() => open(bench.image(pattern(size)), { format: 'vhd' }), 'EINVAL');
      await failure(() => open(bench.image(pattern(size)), { format: 'qcow2' }), 'EINVAL');
      using device = openSync(bench.image(pattern(size)), { format: 'auto' });
      expect(device.size).toBe(size);
    }
  });
});
