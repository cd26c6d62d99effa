#include "core/host/host_address.h"

#include <netdb.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace blk {
namespace {

Result<HostAddress> OfPath(const std::string& path) {
  HostAddress address;
  auto& un = reinterpret_cast<sockaddr_un&>(address.bytes);
  if (path.size() >= sizeof(un.sun_path)) return Status{ENAMETOOLONG, Op::kConnect};
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

// Every address that `host` stands for. Errors: EHOSTUNREACH none · EAGAIN nobody could be asked · ENOMEM.
Result<std::vector<HostAddress>> NamedAddresses(const SocketAddress& wanted, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(wanted.port);
  const int rc = getaddrinfo(wanted.host.c_str(), port.c_str(), &hints, &found);
  if (rc == EAI_SYSTEM) return Status{errno, Op::kConnect};
  if (rc == EAI_MEMORY) return Status{ENOMEM, Op::kConnect};
  if (rc == EAI_AGAIN) return Status{EAGAIN, Op::kConnect};
  if (rc != 0) return Status{EHOSTUNREACH, Op::kConnect};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::vector<HostAddress> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    HostAddress address;
    std::memcpy(&address.bytes, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
    addresses.push_back(address);
  }
  return addresses;
}

// Host and port as numbers. -> whether the host knows such an address.
bool Numbers(const HostAddress& address, std::array<char, NI_MAXHOST>& host, std::array<char, NI_MAXSERV>& port) {
  return getnameinfo(address.get(), address.size, host.data(), host.size(), port.data(), port.size(),
                     NI_NUMERICHOST | NI_NUMERICSERV) == 0;
}

}  // namespace

Result<std::vector<HostAddress>> AddressesOf(const SocketAddress& wanted, int flags) {
  if (!wanted.is_unix()) return NamedAddresses(wanted, flags);
  auto address = OfPath(wanted.path);
  if (!address.ok()) return address.status();
  return std::vector<HostAddress>{address.value()};
}

std::string NameOf(const HostAddress& address) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (!Numbers(address, host, port)) {
    return "unknown";
  }
  const std::string name = host.data();
  return (address.family() == AF_INET6 ? "[" + name + "]" : name) + ":" + port.data();
}

Result<SocketAddress> LocalAddress(int fd) {
  HostAddress address;
  if (getsockname(fd, address.get(), &address.size) < 0) return Status{errno, Op::kListen};
  SocketAddress local;
  if (address.family() == AF_UNIX) {
    const auto& un = reinterpret_cast<const sockaddr_un&>(address.bytes);
    const size_t most = address.size - std::min<size_t>(address.size, offsetof(sockaddr_un, sun_path));
    local.path.assign(un.sun_path, strnlen(un.sun_path, most));
    return local;
  }
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (Numbers(address, host, port)) {
    local.host = host.data();
    local.port = static_cast<uint16_t>(std::strtoul(port.data(), nullptr, 10));
  }
  return local;
}

}  // namespace blk
