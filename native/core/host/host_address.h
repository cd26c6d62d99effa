// Addresses of sockets as the host has them, and the way there and back from what people write. No state. For
// socket.cc.
#ifndef RUMPBLK_CORE_HOST_HOST_ADDRESS_H_
#define RUMPBLK_CORE_HOST_HOST_ADDRESS_H_

#include <sys/socket.h>

#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/host/socket_address.h"

namespace blk {

// A host address of any family.
struct HostAddress {
  sockaddr_storage bytes{};
  socklen_t size = sizeof(bytes);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&bytes); }
  int family() const { return bytes.ss_family; }
};

// Every address that `wanted` stands for, at least one; `flags` are getaddrinfo's. Errors: ENAMETOOLONG · EHOSTUNREACH
// no such name · EAGAIN nobody could be asked for it · ENOMEM.   Thread: any; it may wait for the network.
Result<std::vector<HostAddress>> AddressesOf(const SocketAddress& wanted, int flags);

// An address and its port, as people write it.
std::string NameOf(const HostAddress& address);

// The address that a socket has itself. Errors: the host's.
Result<SocketAddress> LocalAddress(int fd);

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_HOST_ADDRESS_H_
