// Socket: a stream socket of the host, to a Unix path or a TCP address, that never blocks in a call of its own: who has
// nothing to do waits in Wait(), for the socket and for a WakeEvent of another thread. SocketListener makes them.
// Thin, as HostIo: one system call each, no retry, but for what is named. Results are those of the call, or a negative
// errno. SIGPIPE is never raised. Thread-safety: one thread receives and one sends at a time; Shutdown() is for any.
#ifndef RUMPBLK_CORE_HOST_SOCKET_H_
#define RUMPBLK_CORE_HOST_SOCKET_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/host/socket_address.h"
#include "core/host/unique_fd.h"

namespace blk {

// Memory of a send or a receive that goes to several places.
struct SocketSpan {
  void* data = nullptr;  // only read from by a send
  size_t size = 0;       // bytes
};

// What a thread that waits for sockets is woken by. Signals that come before it waits are not lost, and several are
// one. Thread-safe.
class WakeEvent {
 public:
  // Wakes nobody.
  WakeEvent() = default;
  // Errors: EMFILE, ENFILE, ENOMEM.
  static Result<WakeEvent> Create();
  WakeEvent(WakeEvent&&) noexcept = default;
  WakeEvent& operator=(WakeEvent&&) noexcept = default;

  void Signal() const noexcept;
  // Takes the signals that came.
  void Clear() const noexcept;
  // Waits for a signal, for at most `timeout`; nothing: for ever. Takes none.
  void Wait(std::optional<std::chrono::milliseconds> timeout = std::nullopt) const noexcept;
  int fd() const { return fd_.get(); }

 private:
  explicit WakeEvent(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

// What Wait() waits for, and what it found. An error or a hang-up of the other side is both: the call says which.
struct Readiness {
  bool receive = false;
  bool send = false;
  bool woken = false;  // by the WakeEvent, which is not cleared

  bool any() const { return receive || send || woken; }
};

// What a descriptor is, for who has to choose between the two below; it stays whoever's it is.
enum class SocketKind : uint8_t { kNone, kListening, kOther };
SocketKind KindOfSocket(int fd) noexcept;

class Socket {
 public:
  // Most spans of one Send() or ReceiveInto().
  static constexpr size_t kMostSpans = 1024;

  // Owns nothing.
  Socket() = default;
  Socket(Socket&&) noexcept = default;
  Socket& operator=(Socket&&) noexcept = default;

  // Connects, trying each address of a name in turn; keepalive and no delay are set on TCP. A signal of `stop`, where
  // given, ends it with ECANCELED, but for the look-up of a name, which the host cannot be called off from.
  // Errors: the last address's: ECONNREFUSED, ENOENT, ETIMEDOUT after `timeout`, ... · ENAMETOOLONG · EHOSTUNREACH no
  // such name.   Thread: any; it waits.
  static Result<Socket> Connect(const SocketAddress& address, std::chrono::milliseconds timeout,
                                const WakeEvent* stop = nullptr);
  // Takes over a descriptor that is connected, whatever it is. Errors: the host's; it is closed then.
  static Result<Socket> Adopt(int fd);
  // Two that are connected with each other: for tests. Errors: the host's.
  static Result<std::pair<Socket, Socket>> Pair();

  bool valid() const { return fd_.valid(); }
  int fd() const { return fd_.get(); }

  // Bytes that came, 0 at the end of the stream, -EAGAIN where there are none now.
  int64_t Receive(void* data, size_t size);
  int64_t ReceiveInto(std::span<const SocketSpan> spans);
  // Bytes that the host took, a prefix of all of them, -EAGAIN where it takes none now. EFAULT: memory of a mapping
  // whose file was cut. REQUIRES: at most kMostSpans.
  int64_t Send(std::span<const SocketSpan> spans);

  // Waits for any of what is asked for, for at most `timeout`; nothing: for ever. EINTR is asked again.
  // -> what is so; nothing of it when the time is over. An error of the call is told as all that was asked for.
  Readiness Wait(bool receive, bool send, const WakeEvent* wake,
                 std::optional<std::chrono::milliseconds> timeout = std::nullopt) const;

  // Ends the connection for both sides; whoever waits is woken. The descriptor stays until Close().   Thread: any.
  void Shutdown() noexcept;
  // Errors: close(2)'s.   REQUIRES: no call is under way.
  Status Close() { return fd_.Close(); }
  // Names the other side for people: "unix", or its address and port.
  std::string Peer() const;

 private:
  explicit Socket(UniqueFd fd) : fd_(std::move(fd)) {}
  friend class SocketListener;

  UniqueFd fd_;
};

class SocketListener {
 public:
  // Listens at a Unix path, which is made with mode 0600 and must not be there, or at a TCP address: port 0 takes a
  // free one. Errors: EADDRINUSE, EACCES, EADDRNOTAVAIL and what else the host says · EHOSTUNREACH no such name.
  static Result<SocketListener> Listen(const SocketAddress& address);
  // Takes over a descriptor that listens. Errors: EINVAL it does not · the host's; it is closed then.
  static Result<SocketListener> Adopt(int fd);
  SocketListener(SocketListener&&) noexcept = default;
  SocketListener& operator=(SocketListener&&) noexcept = default;

  // -> one that came; nothing where there is none now. Errors: EMFILE, ENFILE, ENOMEM and others, after which it may be
  // asked again; who went away before is nobody.
  Result<std::optional<Socket>> Accept();
  // Waits until one may have come, or for `wake`, for at most `timeout`; nothing: for ever.
  Readiness Wait(const WakeEvent* wake, std::optional<std::chrono::milliseconds> timeout = std::nullopt) const;

  // Where it listens: a port that was free is told.
  const SocketAddress& address() const { return address_; }
  // Removes a Unix path that Listen() made, unless something else has its name by now, and closes. Errors: the host's;
  // it is closed all the same.
  Status Close();

 private:
  SocketListener(UniqueFd fd, SocketAddress address) : fd_(std::move(fd)), address_(std::move(address)) {}

  // Remembers which node the path has, and whether it still has that one.
  void NoteNode();
  bool HasNode() const;

  UniqueFd fd_;
  SocketAddress address_;
  // The node that Listen() made; inode 0: none.
  uint64_t device_ = 0, inode_ = 0;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_SOCKET_H_
