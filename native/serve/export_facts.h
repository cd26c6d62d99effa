// ExportFacts: what a client may learn of an export, and what its requests are judged by. Session: what a client and
// the server have agreed on when the handshake is over. Plain data.
#ifndef RUMPBLK_SERVE_EXPORT_FACTS_H_
#define RUMPBLK_SERVE_EXPORT_FACTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/nbd/wire.h"
#include "serve/contexts.h"

namespace blk::serve {

struct ExportFacts {
  std::string name;         // at most nbd::kMaxString bytes, as is the description
  std::string description;  // for people
  uint64_t size = 0;        // bytes
  bool writable = false;
  nbd::BlockSizes sizes;
  std::vector<std::string> bitmaps;  // names of the dirty bitmaps that block status tells of

  // The transmission flags of a connection. Flushes and FUA of one connection cover the writes of all: they share the
  // device.
  uint16_t Flags(bool structured) const {
    unsigned flags = nbd::kHasFlags | nbd::kSendFlush | nbd::kSendFua | nbd::kCanMultiConn | nbd::kSendCache;
    flags |= writable ? nbd::kSendTrim | nbd::kSendWriteZeroes | nbd::kSendFastZero : nbd::kReadOnly;
    if (structured) flags |= nbd::kSendDf;
    return static_cast<uint16_t>(flags);
  }
};

struct Session {
  size_t export_index = 0;
  bool structured = false;  // replies are structured
  Contexts contexts;        // none without structured replies
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_EXPORT_FACTS_H_
