#include "serve/replies.h"

#include "core/base/byte_order.h"

namespace blk::serve {
namespace {

void PutChunk(nbd::Chunk type, uint64_t cookie, size_t length, uint8_t* to, uint16_t flags = nbd::kChunkDone) {
  nbd::ChunkHeader header;
  header.flags = flags;
  header.type = static_cast<uint16_t>(type);
  header.cookie = cookie;
  header.length = static_cast<uint32_t>(length);
  nbd::Encode(header, to);
}

size_t ChunkSize(const ContextStatus& status) {
  return nbd::ChunkHeader::kSize + sizeof(uint32_t) + status.extents.size() * nbd::StatusExtent::kSize;
}

}  // namespace

void PutReadHeader(const nbd::RequestHeader& request, const Session& session, uint8_t* to) {
  if (!session.structured) return nbd::Encode(nbd::SimpleReply{nbd::kSimpleReplyMagic, 0, request.cookie}, to);
  PutChunk(nbd::Chunk::kOffsetData, request.cookie, sizeof(uint64_t) + request.length, to);
  Store<uint64_t>(to + nbd::ChunkHeader::kSize, request.offset, ByteOrder::kBig);
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
  Store<uint32_t>(to + nbd::ChunkHeader::kSize, error, ByteOrder::kBig);
  Store<uint16_t>(to + nbd::ChunkHeader::kSize + sizeof(uint32_t), 0, ByteOrder::kBig);
  batch.Add(nbd::ChunkHeader::kSize + kErrorSize);
}

size_t StatusReplySize(std::span<const ContextStatus> statuses) {
  size_t size = 0;
  for (const ContextStatus& status : statuses) size += ChunkSize(status);
  return size;
}

void PutStatus(const nbd::RequestHeader& request, std::span<const ContextStatus> statuses, uint8_t* to) {
  for (const ContextStatus& status : statuses) {
    const uint16_t flags = &status == &statuses.back() ? nbd::kChunkDone : 0;
    PutChunk(nbd::Chunk::kBlockStatus, request.cookie, ChunkSize(status) - nbd::ChunkHeader::kSize, to, flags);
    to += nbd::ChunkHeader::kSize;
    Store<uint32_t>(to, status.id, ByteOrder::kBig);
    to += sizeof(uint32_t);
    for (const nbd::StatusExtent& extent : status.extents) {
      nbd::Encode(extent, to);
      to += nbd::StatusExtent::kSize;
    }
  }
}

}  // namespace blk::serve
