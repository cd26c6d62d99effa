#include "serve/replies.h"

namespace blk::serve {
namespace {

void PutNumber(uint64_t value, size_t size, uint8_t* to) {
  for (size_t i = 0; i < size; i++) to[i] = static_cast<uint8_t>(value >> (8 * (size - 1 - i)));
}

void PutChunk(nbd::Chunk type, uint64_t cookie, size_t length, uint8_t* to) {
  nbd::ChunkHeader header;
  header.flags = nbd::kChunkDone;
  header.type = static_cast<uint16_t>(type);
  header.cookie = cookie;
  header.length = static_cast<uint32_t>(length);
  nbd::Encode(header, to);
}

}  // namespace

void PutReadHeader(const nbd::RequestHeader& request, const Session& session, uint8_t* to) {
  if (!session.structured) return nbd::Encode(nbd::SimpleReply{nbd::kSimpleReplyMagic, 0, request.cookie}, to);
  PutChunk(nbd::Chunk::kOffsetData, request.cookie, sizeof(uint64_t) + request.length, to);
  PutNumber(request.offset, sizeof(uint64_t), to + nbd::ChunkHeader::kSize);
}

void AddOutcome(const nbd::RequestHeader& request, nbd::WireError error, const Session& session, ReplyBatch& batch) {
  uint8_t* const to = batch.Room();
  if (!session.structured) {
    nbd::Encode(nbd::SimpleReply{nbd::kSimpleReplyMagic, error, request.cookie}, to);
    return batch.Add(nbd::SimpleReply::kSize);
  }
  if (error == nbd::kWireOk) {
    PutChunk(nbd::Chunk::kNone, request.cookie, 0, to);
    return batch.Add(nbd::ChunkHeader::kSize);
  }
  // The error, and a message of no bytes.
  constexpr size_t kErrorSize = sizeof(uint32_t) + sizeof(uint16_t);
  PutChunk(nbd::Chunk::kError, request.cookie, kErrorSize, to);
  PutNumber(error, sizeof(uint32_t), to + nbd::ChunkHeader::kSize);
  PutNumber(0, sizeof(uint16_t), to + nbd::ChunkHeader::kSize + sizeof(uint32_t));
  batch.Add(nbd::ChunkHeader::kSize + kErrorSize);
}

void PutStatus(const nbd::RequestHeader& request, std::span<const nbd::StatusExtent> extents, uint8_t* to) {
  PutChunk(nbd::Chunk::kBlockStatus, request.cookie, StatusReplySize(extents.size()) - nbd::ChunkHeader::kSize, to);
  to += nbd::ChunkHeader::kSize;
  PutNumber(kAllocationId, sizeof(uint32_t), to);
  to += sizeof(uint32_t);
  for (const nbd::StatusExtent& extent : extents) {
    nbd::Encode(extent, to);
    to += nbd::StatusExtent::kSize;
  }
}

}  // namespace blk::serve
