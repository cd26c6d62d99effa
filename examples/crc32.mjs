// CRC-32 as zip and gzip have it. Node.js 22 has one in node:zlib; this one also runs on Node.js 20.
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** @param bytes what is summed up @param seed where to go on from, default 0 @returns an unsigned number of 32 bits */
export function crc32(bytes, seed = 0) {
  let value = ~seed >>> 0;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return ~value >>> 0;
}
