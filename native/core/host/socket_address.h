// SocketAddress: where a socket listens, as people say it. Plain data.
#ifndef RUMPBLK_CORE_HOST_SOCKET_ADDRESS_H_
#define RUMPBLK_CORE_HOST_SOCKET_ADDRESS_H_

#include <cstdint>
#include <string>

namespace blk {

// A Unix path has no host; TCP no path.
struct SocketAddress {
  std::string path;  // of a Unix socket, at most 107 bytes
  std::string host;  // a name or an address, without brackets
  uint16_t port = 0;

  bool is_unix() const { return !path.empty(); }
};

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_SOCKET_ADDRESS_H_
