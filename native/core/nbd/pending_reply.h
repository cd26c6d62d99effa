// PendingReply: a request that waits for its reply, as far as a reply has to be compared with it, and what has come of
// it. Coverage: which bytes of a read have come. Plain data with rules, used by one thread at a time.
#ifndef RUMPBLK_CORE_NBD_PENDING_REPLY_H_
#define RUMPBLK_CORE_NBD_PENDING_REPLY_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/nbd/wire.h"

namespace blk::nbd {

// Chunks of a read come in any order; each byte comes once.
class Coverage {
 public:
  // Stretches that do not touch: no server has a reason for as many, and they take memory.
  static constexpr size_t kMost = 4096;

  // -> false: some of [begin, end) was here already, or there are too many stretches. Throws std::bad_alloc, for the
  // second stretch at the earliest.   REQUIRES: begin < end.
  bool Add(uint32_t begin, uint32_t end);
  // Whether [0, length) is here.
  bool Has(uint32_t length) const { return first_.first == 0 && first_.second == length && more_.empty(); }
  void Clear() { first_ = {0, 0}, more_.clear(); }

 private:
  using Stretch = std::pair<uint32_t, uint32_t>;

  Stretch first_{0, 0};        // empty while nothing has come
  std::vector<Stretch> more_;  // behind the first, in order
};

struct PendingReply {
  Command command = Command::kRead;
  uint64_t offset = 0;      // bytes
  uint32_t length = 0;      // bytes
  uint8_t* data = nullptr;  // where what is read goes; null: it is thrown away

  // Filled in by ReplyParser.
  uint32_t error = 0;      // the first one that the server named
  bool in_chunks = false;  // some of a structured reply has come
  bool has_status = false;
  Coverage covered;
  std::vector<StatusExtent> extents;  // of kBlockStatus, neighbours of one kind made one, from `offset` on

  void Forget() {
    error = 0;
    in_chunks = has_status = false;
    covered.Clear();
    extents.clear();
  }
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_PENDING_REPLY_H_
