// ServerEvent: what a server tells of. Plain data.
#ifndef RUMPBLK_SERVE_SERVER_EVENT_H_
#define RUMPBLK_SERVE_SERVER_EVENT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/status.h"

namespace blk::serve {

struct ServerEvent {
  // kClosed: the last one, of the server itself.
  enum class Kind : uint8_t { kConnect, kDisconnect, kError, kClosed };

  Kind kind = Kind::kClosed;
  uint64_t id = 0;  // of the connection, from 1 on; 0: of none
  std::string peer;
  std::string export_name;
  Status status;  // of an error
};
using EventSink = std::function<void(ServerEvent)>;

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_SERVER_EVENT_H_
