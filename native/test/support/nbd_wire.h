// Messages of an NBD server as bytes, and the whole of what a socket is to move: for tests. No state.
#ifndef RUMPBLK_TEST_SUPPORT_NBD_WIRE_H_
#define RUMPBLK_TEST_SUPPORT_NBD_WIRE_H_

#include <array>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "core/host/socket.h"
#include "core/nbd/wire.h"

namespace blk::test {

using Bytes = std::vector<uint8_t>;

inline constexpr uint32_t kTestContext = 7;

template <typename Message>
Bytes BytesOf(const Message& message, const Bytes& behind = {}) {
  Bytes bytes(Message::kSize);
  nbd::Encode(message, bytes.data());
  bytes.insert(bytes.end(), behind.begin(), behind.end());
  return bytes;
}
template <typename Number>
Bytes BytesOfNumber(Number value) {
  Bytes bytes(sizeof(value));
  Store(bytes.data(), value, ByteOrder::kBig);
  return bytes;
}
inline Bytes operator+(Bytes one, const Bytes& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

inline Bytes GreetingBytes(uint16_t flags) {
  nbd::Greeting greeting;
  greeting.flags = flags;
  return BytesOf(greeting);
}
inline Bytes OptionReplyBytes(uint32_t option, nbd::OptionReply type, const Bytes& data = {}) {
  nbd::OptionReplyHeader header;
  header.option = option;
  header.type = static_cast<uint32_t>(type);
  header.length = static_cast<uint32_t>(data.size());
  return BytesOf(header, data);
}
inline Bytes ExportInfoBytes(uint64_t size, uint16_t flags) {
  nbd::ExportInfo info;
  info.size = size;
  info.flags = flags;
  return BytesOfNumber(static_cast<uint16_t>(nbd::Info::kExport)) + BytesOf(info);
}
inline Bytes BlockSizeBytes(const nbd::BlockSizes& blocks) {
  return BytesOfNumber(static_cast<uint16_t>(nbd::Info::kBlockSize)) + BytesOf(blocks);
}

inline Bytes SimpleReplyBytes(uint64_t cookie, uint32_t error, const Bytes& data = {}) {
  nbd::SimpleReply reply;
  reply.cookie = cookie;
  reply.error = error;
  return BytesOf(reply, data);
}
inline Bytes ChunkBytes(uint64_t cookie, nbd::Chunk type, const Bytes& payload, bool done) {
  nbd::ChunkHeader header;
  header.cookie = cookie;
  header.type = static_cast<uint16_t>(type);
  header.flags = done ? nbd::kChunkDone : 0;
  header.length = static_cast<uint32_t>(payload.size());
  return BytesOf(header, payload);
}
inline Bytes NoneChunk(uint64_t cookie) { return ChunkBytes(cookie, nbd::Chunk::kNone, {}, true); }
inline Bytes DataChunk(uint64_t cookie, uint64_t offset, const Bytes& data, bool done) {
  return ChunkBytes(cookie, nbd::Chunk::kOffsetData, BytesOfNumber(offset) + data, done);
}
inline Bytes HoleChunkBytes(uint64_t cookie, uint64_t offset, uint32_t length, bool done) {
  nbd::HoleChunk hole;
  hole.offset = offset;
  hole.length = length;
  return ChunkBytes(cookie, nbd::Chunk::kOffsetHole, BytesOf(hole), done);
}
inline Bytes ErrorChunk(uint64_t cookie, uint32_t error, bool done = true) {
  return ChunkBytes(cookie, nbd::Chunk::kError, BytesOfNumber(error) + BytesOfNumber(uint16_t{0}), done);
}
inline Bytes StatusChunk(uint64_t cookie, uint32_t context, const std::vector<nbd::StatusExtent>& extents, bool done) {
  Bytes payload = BytesOfNumber(context);
  for (const nbd::StatusExtent& extent : extents) payload = payload + BytesOf(extent);
  return ChunkBytes(cookie, nbd::Chunk::kBlockStatus, payload, done);
}

// -> false: the connection has ended.
inline bool ReceiveAll(Socket& socket, uint8_t* data, size_t size) {
  while (size > 0) {
    const int64_t came = socket.Receive(data, size);
    if (came == -EAGAIN) {
      socket.Wait(true, false, nullptr);
      continue;
    }
    if (came <= 0) return false;
    data += came;
    size -= static_cast<size_t>(came);
  }
  return true;
}
inline bool SendAll(Socket& socket, const Bytes& bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    const std::array<SocketSpan, 1> spans{{{const_cast<uint8_t*>(bytes.data()) + at, bytes.size() - at}}};
    const int64_t sent = socket.Send(spans);
    if (sent == -EAGAIN) {
      socket.Wait(false, true, nullptr);
      continue;
    }
    if (sent < 0) return false;
    at += static_cast<size_t>(sent);
  }
  return true;
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_NBD_WIRE_H_
