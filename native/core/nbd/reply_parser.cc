#include "core/nbd/reply_parser.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace blk::nbd {
namespace {

constexpr size_t kMagicSize = sizeof(uint32_t);
constexpr size_t kErrorHead = 6;  // u32 error, u16 length of the message
constexpr size_t kContextSize = sizeof(uint32_t);
constexpr size_t kOffsetSize = sizeof(uint64_t);
// What may be in a chunk of an error: a message of at most 4096 bytes, and an offset.
constexpr size_t kMostError = kErrorHead + kMaxString + kOffsetSize;

Status Wrong() { return {EPROTO, Op::kConnect, Why::kNbdReply}; }

size_t PayloadHead(const ChunkHeader& chunk) {
  switch (static_cast<Chunk>(chunk.type)) {
    case Chunk::kNone: return 0;
    case Chunk::kOffsetData: return kOffsetSize;
    case Chunk::kOffsetHole: return HoleChunk::kSize;
    case Chunk::kBlockStatus: return kContextSize;
    default: return kErrorHead;
  }
}

// Whether a chunk may be the answer to such a request, and be as long.
bool Fits(const ChunkHeader& chunk, const PendingReply& reply) {
  const auto type = static_cast<Chunk>(chunk.type);
  if (IsError(type)) return chunk.length >= kErrorHead && chunk.length <= kMostError;
  switch (type) {
    case Chunk::kNone: return chunk.length == 0 && (chunk.flags & kChunkDone) != 0;
    case Chunk::kOffsetData:
      return reply.command == Command::kRead && chunk.length > kOffsetSize &&
             chunk.length - kOffsetSize <= reply.length;
    case Chunk::kOffsetHole: return reply.command == Command::kRead && chunk.length == HoleChunk::kSize;
    case Chunk::kBlockStatus:
      return reply.command == Command::kBlockStatus && !reply.has_status &&
             chunk.length >= kContextSize + StatusExtent::kSize &&
             (chunk.length - kContextSize) % StatusExtent::kSize == 0 &&
             (chunk.length - kContextSize) / StatusExtent::kSize <= ReplyParser::kMostExtents;
    default: return false;
  }
}

}  // namespace

Status ReplyParser::TakeIn(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    Status status;
    switch (state_) {
      case State::kHead: {
        if (got_ < kMagicSize && !Collect(bytes, kMagicSize)) return status;
        const auto magic = Load<uint32_t>(part_.data(), ByteOrder::kBig);
        simple_ = magic == kSimpleReplyMagic;
        if (!simple_ && (magic != kStructuredReplyMagic || !structured_)) return Wrong();
        if (!Collect(bytes, simple_ ? SimpleReply::kSize : ChunkHeader::kSize)) return status;
        status = TakeHead();
        break;
      }
      case State::kPayload:
        if (!Collect(bytes, PayloadHead(chunk_))) return status;
        status = TakePayload();
        break;
      case State::kData: {
        const size_t some = std::min(bytes.size(), left_);
        if (reply_->data != nullptr) std::memcpy(reply_->data + place_, bytes.data(), some);
        bytes = bytes.subspan(some);
        status = TookData(some);
        break;
      }
      case State::kExtents:
        if (!Collect(bytes, StatusExtent::kSize)) return status;
        status = TakeExtent();
        break;
      case State::kSkip: {
        const size_t some = std::min(bytes.size(), left_);
        bytes = bytes.subspan(some);
        left_ -= some;
        if (left_ == 0) status = EndMessage();
        break;
      }
    }
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

std::span<uint8_t> ReplyParser::Direct() {
  if (state_ != State::kData || left_ < kDirect || reply_->data == nullptr) return {};
  return {reply_->data + place_, left_};
}

Status ReplyParser::TookDirect(size_t size) { return size == 0 ? Status::Ok() : TookData(size); }

bool ReplyParser::Collect(std::span<const uint8_t>& bytes, size_t size) {
  const size_t some = std::min(bytes.size(), size - got_);
  std::memcpy(part_.data() + got_, bytes.data(), some);
  got_ += some;
  bytes = bytes.subspan(some);
  return got_ == size;
}

Status ReplyParser::TakeHead() { return simple_ ? TakeSimple() : TakeChunk(); }

Status ReplyParser::TakeSimple() {
  const auto head = Decode<SimpleReply>(part_.data());
  reply_ = book_.Find(head.cookie);
  if (reply_ == nullptr || reply_->in_chunks) return Wrong();
  // Once structured replies were agreed on, no read may be answered so, not even an error.
  const bool reads = reply_->command == Command::kRead;
  if (reads && structured_) return Wrong();
  chunk_ = {};
  chunk_.cookie = head.cookie;
  chunk_.flags = kChunkDone;
  reply_->error = head.error;
  if (!reads || head.error != 0) return EndMessage();
  place_ = 0;
  left_ = reply_->length;
  if (!reply_->covered.Add(0, reply_->length)) return Wrong();
  Enter(State::kData);
  return Status::Ok();
}

Status ReplyParser::TakeChunk() {
  chunk_ = Decode<ChunkHeader>(part_.data());
  reply_ = book_.Find(chunk_.cookie);
  if (reply_ == nullptr || !Fits(chunk_, *reply_)) return Wrong();
  reply_->in_chunks = true;
  left_ = chunk_.length;
  if (left_ == 0) return EndMessage();
  Enter(State::kPayload);
  return Status::Ok();
}

Status ReplyParser::TakePayload() {
  left_ -= got_;
  const auto type = static_cast<Chunk>(chunk_.type);
  if (IsError(type)) {
    const auto error = Load<uint32_t>(part_.data(), ByteOrder::kBig);
    const size_t message = Load<uint16_t>(part_.data() + sizeof(error), ByteOrder::kBig);
    const size_t behind = type == Chunk::kErrorOffset ? kOffsetSize : 0;
    const bool known = type == Chunk::kError || type == Chunk::kErrorOffset;
    if (error == 0 || left_ < message || (known && left_ != message + behind)) return Wrong();
    if (reply_->error == 0) reply_->error = error;
    if (left_ == 0) return EndMessage();
    Enter(State::kSkip);
    return Status::Ok();
  }
  if (type == Chunk::kBlockStatus) {
    if (!allocation_ || Load<uint32_t>(part_.data(), ByteOrder::kBig) != *allocation_) return Wrong();
    reply_->has_status = true;
    told_ = 0;
    Enter(State::kExtents);
    return Status::Ok();
  }
  const bool hole = type == Chunk::kOffsetHole;
  const auto head = hole ? Decode<HoleChunk>(part_.data())
                         : HoleChunk{Load<uint64_t>(part_.data(), ByteOrder::kBig), static_cast<uint32_t>(left_)};
  const bool inside = head.length > 0 && head.offset >= reply_->offset &&
                      head.offset - reply_->offset <= reply_->length &&
                      head.length <= reply_->length - (head.offset - reply_->offset);
  if (!inside) return Wrong();
  place_ = static_cast<size_t>(head.offset - reply_->offset);
  const auto begin = static_cast<uint32_t>(place_);
  if (!reply_->covered.Add(begin, begin + head.length)) return Wrong();
  if (!hole) {
    Enter(State::kData);
    return Status::Ok();
  }
  if (reply_->data != nullptr) std::memset(reply_->data + place_, 0, head.length);
  return EndMessage();
}

Status ReplyParser::TakeExtent() {
  const auto extent = Decode<StatusExtent>(part_.data());
  // The last one alone may reach further than was asked for.
  if (extent.length == 0 || told_ >= reply_->length) return Wrong();
  told_ += extent.length;
  auto& all = reply_->extents;
  if (!all.empty() && all.back().flags == extent.flags && all.back().length <= UINT32_MAX - extent.length) {
    all.back().length += extent.length;
  } else {
    all.push_back(extent);
  }
  left_ -= StatusExtent::kSize;
  if (left_ == 0) return EndMessage();
  Enter(State::kExtents);
  return Status::Ok();
}

Status ReplyParser::TookData(size_t size) {
  place_ += size;
  left_ -= size;
  return left_ == 0 ? EndMessage() : Status::Ok();
}

Status ReplyParser::EndMessage() {
  Enter(State::kHead);
  return (chunk_.flags & kChunkDone) != 0 ? EndReply() : Status::Ok();
}

Status ReplyParser::EndReply() {
  const PendingReply& reply = *reply_;
  reply_ = nullptr;
  if (reply.error == 0) {
    if (reply.command == Command::kRead && !reply.covered.Has(reply.length)) return Wrong();
    if (reply.command == Command::kBlockStatus && !reply.has_status) return Wrong();
  }
  book_.Finish(chunk_.cookie);
  return Status::Ok();
}

}  // namespace blk::nbd
