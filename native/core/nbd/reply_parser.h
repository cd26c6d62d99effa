// ReplyParser: the client's side of what a server sends once the handshake is over: simple and structured replies, as a
// state machine over bytes, however they are cut. It sees no socket. Whatever is not as the protocol has it ends the
// connection: who has lost the thread of such a stream may not guess. Used by one thread at a time.
#ifndef RUMPBLK_CORE_NBD_REPLY_PARSER_H_
#define RUMPBLK_CORE_NBD_REPLY_PARSER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/status.h"
#include "core/nbd/pending_reply.h"

namespace blk::nbd {

// Which requests are under way.
class ReplyBook {
 public:
  // Null: none of that cookie.
  virtual PendingReply* Find(uint64_t cookie) = 0;
  // Its reply is complete and right; the book does not find it any more.
  virtual void Finish(uint64_t cookie) = 0;

 protected:
  ~ReplyBook() = default;
};

class ReplyParser {
 public:
  // From this many bytes on, data is asked for to be received in its place.
  static constexpr size_t kDirect = 64 * 1024;
  // Most extents of one reply.
  static constexpr size_t kMostExtents = size_t{1} << 20;

  // `structured`: agreed on; `allocation`: the number of the one context. The book outlives this object.
  ReplyParser(bool structured, std::optional<uint32_t> allocation, ReplyBook& book)
      : structured_(structured), allocation_(allocation), book_(book) {}

  // Takes in all of what came. Throws std::bad_alloc.
  // Errors: EPROTO, with what the book has finished until then finished; nothing more may be taken in then.
  Status TakeIn(std::span<const uint8_t> bytes);

  // Where the next bytes of the stream may be received, so that they need not be copied there: empty unless they are
  // many. Holds until the next call of either.
  std::span<uint8_t> Direct();
  // The first `size` bytes of that have come.   Errors: as TakeIn().
  Status TookDirect(size_t size);

  // Whether the stream may end here: between two replies.
  bool between() const { return state_ == State::kHead && got_ == 0; }

 private:
  enum class State : uint8_t { kHead, kPayload, kData, kExtents, kSkip };

  // Collects bytes of a fixed part. -> whether it is whole.
  bool Collect(std::span<const uint8_t>& bytes, size_t size);
  Status TakeHead();
  Status TakeSimple();
  Status TakeChunk();
  // The fixed first part of a chunk's payload.
  Status TakePayload();
  Status TakeExtent();
  Status TookData(size_t size);
  // Begins the next `part_` bytes in `state`.
  void Enter(State state) { state_ = state, got_ = 0; }
  // What follows a whole message.
  Status EndMessage();
  // What follows the last message of a reply.
  Status EndReply();

  const bool structured_;
  const std::optional<uint32_t> allocation_;
  ReplyBook& book_;

  State state_ = State::kHead;
  std::array<uint8_t, 32> part_{};
  size_t got_ = 0;  // bytes of part_

  // Of the message under way.
  ChunkHeader chunk_;
  bool simple_ = false;
  PendingReply* reply_ = nullptr;
  size_t left_ = 0;    // bytes of its payload that have not come
  size_t place_ = 0;   // of its data in the request's
  uint64_t told_ = 0;  // bytes that its extents have covered
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_REPLY_PARSER_H_
