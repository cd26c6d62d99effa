#include "core/nbd/dial.h"

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "core/base/no_memory.h"
#include "core/nbd/handshake.h"

namespace blk::nbd {
namespace {

using Clock = std::chrono::steady_clock;

// Sends what the handshake has to say. -> what is left of it stays.
Status SendSome(Socket& socket, std::vector<uint8_t>& out) {
  while (!out.empty()) {
    const std::array<SocketSpan, 1> spans{{{out.data(), out.size()}}};
    const int64_t sent = socket.Send(spans);
    if (sent == -EAGAIN) break;
    if (sent < 0) return {static_cast<int>(-sent), Op::kConnect, Why::kNbdClosed};
    out.erase(out.begin(), out.begin() + sent);
  }
  return Status::Ok();
}

Status ShakeHands(Socket& socket, ClientHandshake& hands, std::optional<Clock::time_point> until,
                  const WakeEvent* stop) {
  std::array<uint8_t, 4096> bytes;
  while (!hands.done()) {
    const Status sent = SendSome(socket, hands.out());
    std::optional<std::chrono::milliseconds> left;
    if (until) left = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now());
    if (left && left->count() <= 0) return {ETIMEDOUT, Op::kConnect, Why::kNbdTimeout};
    const Readiness ready = socket.Wait(true, !hands.out().empty(), stop, left);
    if (ready.woken) return {ECANCELED, Op::kConnect};
    if (!ready.any()) return {ETIMEDOUT, Op::kConnect, Why::kNbdTimeout};
    // What the server said before it closed explains more than that it did.
    const int64_t came = socket.Receive(bytes.data(), bytes.size());
    if (came == -EAGAIN) {
      if (!sent.ok()) return sent;
      continue;
    }
    if (came == 0) return hands.AtEnd();
    if (came < 0) return {static_cast<int>(-came), Op::kConnect, Why::kNbdClosed};
    const Status status = hands.TakeIn({bytes.data(), static_cast<size_t>(came)});
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

}  // namespace

Result<Dialled> Dial(const SocketAddress& address, const std::string& name, std::chrono::milliseconds timeout,
                     const WakeEvent* stop) {
  std::optional<Clock::time_point> until;
  if (timeout.count() > 0) until = Clock::now() + timeout;
  auto socket = Socket::Connect(address, timeout, stop);
  if (!socket.ok()) return socket.status();
  Status status{ENOMEM, Op::kConnect};
  ExportFacts facts;
  const bool had_memory = HadMemory([&] {
    ClientHandshake hands(name);
    status = ShakeHands(socket.value(), hands, until, stop);
    if (status.ok()) facts = hands.facts();
  });
  if (!had_memory) status = {ENOMEM, Op::kConnect};
  if (!status.ok()) return status;
  return Dialled{socket.Take(), facts};
}

}  // namespace blk::nbd
