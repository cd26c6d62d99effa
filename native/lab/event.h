// Event: what was recorded of one request, or a mark. Plain data.
#ifndef RUMPBLK_LAB_EVENT_H_
#define RUMPBLK_LAB_EVENT_H_

#include <cstddef>
#include <cstdint>

namespace blk::lab {

// The numbers cross to lib by EVENT_KINDS.
enum class Kind : uint8_t { kWrite, kFlush, kDiscard, kZero, kMark };

// What a request promises of its own.
enum class Promise : uint8_t {
  kPlain,    // a write: durable with a flush; a flush: all that is acknowledged is durable
  kDurable,  // a write: durable when it is acknowledged
  kNothing,  // covers nothing, and is covered by nothing
};

// No event has this number: it never happens.
inline constexpr uint64_t kNever = UINT64_MAX;

struct Event {
  Kind kind = Kind::kWrite;
  Promise promise = Promise::kPlain;
  uint16_t device = 0;  // of a flush the first of its domain
  int32_t err = 0;      // positive; of an acknowledged one that failed
  int32_t stack = -1;
  bool stores = false;  // a write that is what was found in memory that was lent: of words, in any order
  uint64_t begin = 0;
  uint64_t end = kNever;  // its acknowledgement
  uint64_t at = 0;        // bytes of the medium
  uint64_t length = 0;    // bytes
  uint64_t moved = 0;     // bytes
  uint64_t begun_ns = 0;  // of a clock that never goes back
  uint64_t ended_ns = 0;
  const uint8_t* data = nullptr;  // of a write
  // The recording's, while the event is under way: the next one of the same piece, or of those that wait for one sync.
  Event* next = nullptr;

  bool writes() const { return kind == Kind::kWrite || kind == Kind::kDiscard || kind == Kind::kZero; }
  bool succeeded() const { return end != kNever && err == 0; }
};

}  // namespace blk::lab

#endif  // RUMPBLK_LAB_EVENT_H_
