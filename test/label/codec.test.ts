// decodeDiskLabel and encodeDiskLabel: the bytes of a disklabel.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type DiskLabel, decodeDiskLabel, encodeDiskLabel } from 'rumpblk';
import { seedOf } from '../support/chance';
import { SECTORS, label, layOut, sumOf } from '../support/disklabel';
import { refusal } from '../support/failure';
import { pattern } from '../support/rig';

describe('bytes', () => {
  const u8 = fc.nat(2 ** 8 - 1);
  const u16 = fc.nat(2 ** 16 - 1);
  const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const name = fc.array(fc.integer({ min: 1, max: 255 }), { maxLength: 16 }).map((codes) => String.fromCharCode(...codes));
  const five = fc.array(u32, { minLength: 5, maxLength: 5 });
  const anyLabel = fc.record({
    ...Object.fromEntries(
      ['type', 'subtype', 'sparespertrack', 'sparespercyl', 'rpm', 'interleave', 'trackskew', 'cylskew'].map((f) => [f, u16]),
    ),
    ...Object.fromEntries(
      ['nsectors', 'ntracks', 'ncylinders', 'secpercyl', 'acylinders', 'headswitch', 'trkseek', 'flags', 'bbsize', 'sbsize'].map((f) => [
        f,
        u32,
      ]),
    ),
    typename: name,
    packname: name,
    secsize: fc.constantFrom(512, 1024, 2048, 4096),
    secperunit: fc.constant(0),
    drivedata: five,
    // Not 1 in either half of the first, which makes it a label of OpenBSD: see openbsd.test.ts.
    spare: five.filter(([first = 0]) => first >>> 16 !== 1 && (first & 0xffff) !== 1),
    partitions: fc.array(fc.record({ offset: u32, size: u32, fstype: u8, fsize: u32, frag: u8, cpg: u16 }), { maxLength: 16 }),
    checksum: u16,
  }) as unknown as fc.Arbitrary<DiskLabel>;

  test('any label survives encoding and decoding, in both byte orders, with a checksum that holds', () => {
    fc.assert(
      fc.property(anyLabel, fc.constantFrom('little' as const, 'big' as const), fc.nat(64), (given, byteOrder, offset) => {
        const bytes = encodeDiskLabel(given, { byteOrder });
        expect(bytes).toHaveLength(404);
        expect(sumOf(bytes.subarray(0, 148 + 16 * given.partitions.length))).toBe(0);
        const decoded = decodeDiskLabel(Buffer.concat([Buffer.alloc(offset), bytes]), { offset });
        const checksum = byteOrder === 'little' ? bytes.readUInt16LE(136) : bytes.readUInt16BE(136);
        expect(decoded).toEqual({ label: { ...given, checksum }, byteOrder });
        if (byteOrder === 'big') return;
        expect(bytes.subarray(0, 148 + 16 * given.partitions.length)).toEqual(layOut({ ...given, checksum }));
      }),
      { seed: seedOf('CODEC') },
    );
  });

  test('what is wrong is said, the gravest first', () => {
    const good = encodeDiskLabel(label());
    const broken = (change: (bytes: Buffer) => void, length = 404): string | undefined => {
      const bytes = Buffer.from(good);
      change(bytes);
      return decodeDiskLabel(bytes.subarray(0, length)).problem;
    };
    expect(broken(() => undefined)).toBeUndefined();
    expect(broken((bytes) => bytes.writeUInt32LE(1, 0))).toMatch(/magic/);
    expect(broken((bytes) => bytes.writeUInt32LE(1, 132))).toMatch(/magic/);
    expect(broken(() => undefined, 0)).toMatch(/magic/);
    expect(broken(() => undefined, 147)).toMatch(/magic/);
    expect(broken(() => undefined, 150)).toMatch(/cut short/);
    expect(broken((bytes) => bytes.writeUInt8(1, 20))).toMatch(/checksum/);
    const fixed = (change: (bytes: Buffer) => void): string | undefined =>
      broken((bytes) => {
        change(bytes);
        bytes.writeUInt16LE(bytes.readUInt16LE(136) ^ sumOf(bytes.subarray(0, Math.min(404, 148 + 16 * bytes.readUInt16LE(138)))), 136);
      });
    expect(fixed((bytes) => bytes.writeUInt16LE(16, 138))).toBeUndefined();
    expect(fixed((bytes) => bytes.writeUInt16LE(65535, 138))).toMatch(/cut short/);
    expect(fixed((bytes) => bytes.writeUInt32LE(513, 40))).toMatch(/sector size: 513/);
    expect(fixed((bytes) => bytes.writeUInt32LE(SECTORS, 148))).toMatch(/^a ends beyond/);
    expect(decodeDiskLabel(pattern(404)).problem).toMatch(/magic/);
  });

  test('arguments', async () => {
    const wrong = (change: object): Promise<string> => refusal(() => encodeDiskLabel({ ...label(), ...change }));
    expect(await wrong({ type: 65536 })).toBe('ERR_OUT_OF_RANGE');
    expect(await wrong({ secsize: -1 })).toBe('ERR_OUT_OF_RANGE');
    expect(await wrong({ secsize: '512' })).toBe('ERR_INVALID_ARG_TYPE');
    expect(await wrong({ typename: 'x'.repeat(17) })).toBe('ERR_INVALID_ARG_VALUE');
    expect(await wrong({ packname: '\u20ac' })).toBe('ERR_INVALID_ARG_VALUE');
    expect(await wrong({ drivedata: [1, 2] })).toBe('ERR_INVALID_ARG_VALUE');
    expect(await wrong({ partitions: Array<object>(23).fill({}) })).toBe('ERR_OUT_OF_RANGE');
    expect(await wrong({ partitions: Array(3) })).toBe('ERR_INVALID_ARG_TYPE');
    expect(await wrong({ drivedata: Array(5) })).toBe('ERR_INVALID_ARG_TYPE');
    expect(await wrong({ partitions: [null] })).toBe('ERR_INVALID_ARG_TYPE');
    expect(await wrong({ partitions: undefined })).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => encodeDiskLabel(label(), { byteOrder: 'middle' as never }))).toBe('ERR_INVALID_ARG_VALUE');
    // A slip in a field would leave it as it is.
    expect(await refusal(() => encodeDiskLabel({ ...label(), pakname: 'x' } as never))).toBe('ERR_INVALID_ARG_VALUE');
    const entry = { offset: 0, size: 8, fstype: 7, fsize: 0, frag: 0, cpg: 0, start: 9 };
    expect(await refusal(() => encodeDiskLabel(label(entry)))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await refusal(() => decodeDiskLabel('x' as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => decodeDiskLabel(Buffer.alloc(10), { offset: 11 }))).toBe('ERR_OUT_OF_RANGE');
  });
});
