#include "core/host/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "core/host/host_address.h"
#include "core/host/transfer_loop.h"

namespace blk {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBacklog = 128;

// A socket that closes itself. -> a negative errno.
Result<UniqueFd> NewSocket(int family) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Status{errno, Op::kConnect};
  return UniqueFd(PosixHostIo(), fd);
}

// Small messages go at once, and an other side that is gone without a word is found out. What a host does not know of
// it does no harm.
void SetUp(int fd, int family) {
  if (family != AF_INET && family != AF_INET6) return;
  const auto set = [fd](int level, int name, int value) {
    static_cast<void>(setsockopt(fd, level, name, &value, sizeof(value)));
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 6);
}

int PollTimeout(std::optional<std::chrono::milliseconds> timeout) {
  if (!timeout) return -1;
  return static_cast<int>(std::clamp<int64_t>(timeout->count(), 0, 1'000'000'000));
}

Readiness PollFor(int fd, short events, const WakeEvent* wake, std::optional<std::chrono::milliseconds> timeout) {
  const auto deadline = Clock::now() + timeout.value_or(std::chrono::milliseconds(0));
  std::array<pollfd, 2> polled{{{fd, events, 0}, {wake == nullptr ? -1 : wake->fd(), POLLIN, 0}}};
  int rc = -1;
  do {
    auto left = timeout;
    if (left) left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    rc = poll(polled.data(), polled.size(), PollTimeout(left));
  } while (rc < 0 && errno == EINTR);
  const bool all = rc < 0 || (polled[0].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
  return {(events & POLLIN) != 0 && (all || (polled[0].revents & POLLIN) != 0),
          (events & POLLOUT) != 0 && (all || (polled[0].revents & POLLOUT) != 0), (polled[1].revents & POLLIN) != 0};
}

// Waits for a connect() that is under way. -> its errno.
int AwaitConnected(int fd, Clock::time_point deadline, bool forever, const WakeEvent* stop) {
  std::optional<std::chrono::milliseconds> left;
  if (!forever) left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  const Readiness ready = PollFor(fd, POLLOUT, stop, left);
  if (ready.woken) return ECANCELED;
  if (!ready.send) return ETIMEDOUT;
  int err = 0;
  socklen_t size = sizeof(err);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0 ? errno : err;
}

int SetNonblocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return errno;
  return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? errno : 0;
}

msghdr MessageOf(std::span<const SocketSpan> spans, std::array<iovec, Socket::kMostSpans>& parts) {
  for (size_t i = 0; i < spans.size(); i++) parts[i] = {spans[i].data, spans[i].size};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = spans.size();
  return message;
}

int64_t OrError(ssize_t rc) { return rc < 0 ? -errno : rc; }

}  // namespace

Result<WakeEvent> WakeEvent::Create() {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return Status{errno, Op::kConnect};
  return WakeEvent(UniqueFd(PosixHostIo(), fd));
}

// A counter that is full is signalled already, and one that is empty is clear: neither is a failure.
void WakeEvent::Signal() const noexcept {
  const uint64_t one = 1;
  static_cast<void>(Uninterrupted([&] { return OrError(write(fd_.get(), &one, sizeof(one))); }));
}

void WakeEvent::Clear() const noexcept {
  uint64_t count = 0;
  static_cast<void>(Uninterrupted([&] { return OrError(read(fd_.get(), &count, sizeof(count))); }));
}

void WakeEvent::Wait(std::optional<std::chrono::milliseconds> timeout) const noexcept {
  static_cast<void>(PollFor(fd_.get(), POLLIN, nullptr, timeout));
}

SocketKind KindOfSocket(int fd) noexcept {
  int listens = 0;
  socklen_t size = sizeof(listens);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0) return SocketKind::kNone;
  return listens != 0 ? SocketKind::kListening : SocketKind::kOther;
}

Result<Socket> Socket::Connect(const SocketAddress& address, std::chrono::milliseconds timeout, const WakeEvent* stop) {
  const auto deadline = Clock::now() + timeout;
  auto addresses = AddressesOf(address, 0);
  if (!addresses.ok()) return addresses.status();
  Status last{EHOSTUNREACH, Op::kConnect};
  for (const HostAddress& one : addresses.value()) {
    auto fd = NewSocket(one.family());
    if (!fd.ok()) return fd.status();
    int err = connect(fd.value().get(), one.get(), one.size) < 0 ? errno : 0;
    // EAGAIN of a Unix socket: whoever listens has too many that wait. It is not under way, so there is nothing to
    // wait for.
    if (err == EINPROGRESS || err == EINTR) {
      err = AwaitConnected(fd.value().get(), deadline, timeout.count() == 0, stop);
    }
    if (err == 0) {
      SetUp(fd.value().get(), one.family());
      return Socket(fd.Take());
    }
    last = {err, Op::kConnect};
    if (err == ECANCELED) break;
  }
  return last;
}

Result<Socket> Socket::Adopt(int fd) {
  UniqueFd owner(PosixHostIo(), fd);
  HostAddress address;
  const bool is_socket = getsockname(fd, address.get(), &address.size) == 0;
  if (!is_socket) return Status{errno, Op::kConnect};
  const int err = SetNonblocking(fd);
  if (err != 0) return Status{err, Op::kConnect};
  SetUp(fd, address.family());
  return Socket(std::move(owner));
}

Result<std::pair<Socket, Socket>> Socket::Pair() {
  std::array<int, 2> fds{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) < 0) {
    return Status{errno, Op::kConnect};
  }
  return std::pair<Socket, Socket>(Socket(UniqueFd(PosixHostIo(), fds[0])), Socket(UniqueFd(PosixHostIo(), fds[1])));
}

int64_t Socket::Receive(void* data, size_t size) {
  return Uninterrupted([&] { return OrError(recv(fd_.get(), data, size, 0)); });
}

int64_t Socket::ReceiveInto(std::span<const SocketSpan> spans) {
  std::array<iovec, kMostSpans> parts;
  msghdr message = MessageOf(spans, parts);
  return Uninterrupted([&] { return OrError(recvmsg(fd_.get(), &message, 0)); });
}

int64_t Socket::Send(std::span<const SocketSpan> spans) {
  std::array<iovec, kMostSpans> parts;
  const msghdr message = MessageOf(spans, parts);
  return Uninterrupted([&] { return OrError(sendmsg(fd_.get(), &message, MSG_NOSIGNAL)); });
}

Readiness Socket::Wait(bool receive, bool send, const WakeEvent* wake,
                       std::optional<std::chrono::milliseconds> timeout) const {
  return PollFor(fd_.get(), static_cast<short>((receive ? POLLIN : 0) | (send ? POLLOUT : 0)), wake, timeout);
}

// One that is not connected any more has nothing to end.
void Socket::Shutdown() noexcept { static_cast<void>(shutdown(fd_.get(), SHUT_RDWR)); }

std::string Socket::Peer() const {
  HostAddress address;
  if (getpeername(fd_.get(), address.get(), &address.size) < 0) return "unknown";
  return address.family() == AF_UNIX ? "unix" : NameOf(address);
}

Result<SocketListener> SocketListener::Listen(const SocketAddress& address) {
  auto addresses = AddressesOf(address, AI_PASSIVE);
  if (!addresses.ok()) return Status{addresses.status().err, Op::kListen};
  Status last{EHOSTUNREACH, Op::kListen};
  for (const HostAddress& one : addresses.value()) {
    auto made = NewSocket(one.family());
    if (!made.ok()) return Status{made.status().err, Op::kListen};
    const int fd = made.value().get();
    const int yes = 1;
    static_cast<void>(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)));
    // The path gets the mode of the socket, less the umask: nobody else can connect at any moment.
    if (address.is_unix() && fchmod(fd, S_IRUSR | S_IWUSR) < 0) return Status{errno, Op::kListen};
    if (bind(fd, one.get(), one.size) < 0) {
      last = {errno, Op::kListen};
      continue;
    }
    if (listen(fd, kBacklog) < 0) {
      last = {errno, Op::kListen};
      if (address.is_unix()) static_cast<void>(unlink(address.path.c_str()));
      continue;
    }
    auto local = LocalAddress(fd);
    if (!local.ok()) return local.status();
    if (address.is_unix()) local.value().path = address.path;
    SocketListener listener(made.Take(), local.Take());
    listener.NoteNode();
    return listener;
  }
  return last;
}

Result<SocketListener> SocketListener::Adopt(int fd) {
  UniqueFd owner(PosixHostIo(), fd);
  int listens = 0;
  socklen_t size = sizeof(listens);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0) return Status{errno, Op::kListen};
  if (listens == 0) return Status{EINVAL, Op::kListen};
  const int err = SetNonblocking(fd);
  if (err != 0) return Status{err, Op::kListen};
  auto local = LocalAddress(fd);
  if (!local.ok()) return local.status();
  return SocketListener(std::move(owner), local.Take());
}

Result<std::optional<Socket>> SocketListener::Accept() {
  HostAddress address;
  const int fd = static_cast<int>(Uninterrupted(
      [&] { return OrError(accept4(fd_.get(), address.get(), &address.size, SOCK_CLOEXEC | SOCK_NONBLOCK)); }));
  if (fd == -EAGAIN || fd == -ECONNABORTED) return std::optional<Socket>();
  if (fd < 0) return Status{-fd, Op::kListen};
  SetUp(fd, address.family());
  return std::optional<Socket>(Socket(UniqueFd(PosixHostIo(), fd)));
}

Readiness SocketListener::Wait(const WakeEvent* wake, std::optional<std::chrono::milliseconds> timeout) const {
  return PollFor(fd_.get(), POLLIN, wake, timeout);
}

void SocketListener::NoteNode() {
  struct stat node {};
  if (!address_.is_unix() || stat(address_.path.c_str(), &node) < 0) return;
  device_ = node.st_dev;
  inode_ = node.st_ino;
}

bool SocketListener::HasNode() const {
  struct stat node {};
  return inode_ != 0 && stat(address_.path.c_str(), &node) == 0 && node.st_dev == device_ && node.st_ino == inode_;
}

Status SocketListener::Close() {
  const bool gone = !HasNode() || unlink(address_.path.c_str()) == 0 || errno == ENOENT;
  const Status removed = gone ? Status::Ok() : Status{errno, Op::kClose};
  inode_ = 0;
  const Status closed = fd_.Close();
  return removed.ok() ? closed : removed;
}

}  // namespace blk
