// Connection: one client, from the handshake to its end, on a thread of its own. All requests that one receive brings
// are answered by one send; nothing is received while answers wait to be sent.
// Memory: less than 8 MiB, and one payload of up to kMaxPayload beyond that: InBuffer::kSize for what comes,
// ReplyBatch::kSize for short answers, Runner::kMostRoom for what is under way and as much again that is kept for it.
// Thread-safe where it says so. Lock order: none is held over a call into the core.
#ifndef RUMPBLK_SERVE_CONNECTION_H_
#define RUMPBLK_SERVE_CONNECTION_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/host/socket.h"
#include "serve/export.h"
#include "serve/in_buffer.h"
#include "serve/job.h"
#include "serve/negotiation.h"
#include "serve/runner.h"
#include "serve/server_event.h"
#include "serve/server_shared.h"

namespace blk::serve {

class Connection {
 public:
  // How a connection is to end, each more urgent than the one before. kDrain: requests are ESHUTDOWN, and the client is
  // to go. kFinish: as soon as what is under way is answered. kCut: at once; transfers are ended half-way.
  enum class End : uint8_t { kNone, kDrain, kFinish, kCut };

  // `shared` and `sink`, which is called on the connection's thread, outlive it. Errors: EMFILE, ENFILE, ENOMEM.
  static Result<std::unique_ptr<Connection>> Create(uint64_t id, Socket socket, ServerShared& shared,
                                                    const EventSink& sink);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Serves the client until the end. Once.
  void Run();
  // Thread: any, also after the end.
  void Stop(End how) noexcept;

 private:
  Connection(uint64_t id, Socket socket, std::shared_ptr<Inbox> inbox, ServerShared& shared, const EventSink& sink);

  End end() const { return end_.load(std::memory_order_acquire); }
  // -> what was agreed on, if it came to that.
  std::optional<Session> Negotiate();
  // Sends what was said in the handshake. -> whether all of it went before the deadline.
  bool Say(std::vector<uint8_t>* out, std::chrono::steady_clock::time_point deadline);
  bool AwaitMore(std::chrono::steady_clock::time_point deadline);
  void Transmit(const Session& session);
  // Does and answers what there is, and waits for more. -> whether it is over.
  bool Round(RequestReader& reader, Runner& runner);
  // Does the requests that are there. -> whether it stopped because there was no room.
  bool TakeRequests(RequestReader& reader, Runner& runner);
  // Sends what waits. -> whether none of it waits any more.
  bool Send(Runner& runner);
  void Receive(RequestReader& reader);
  // Waits for what it can go on with.
  void Await(bool empty, bool stuck);
  void Tell(ServerEvent::Kind kind, Status status = Status::Ok());
  void Break(Status status);

  const uint64_t id_;
  Socket socket_;
  const std::string peer_;
  const std::shared_ptr<Inbox> inbox_;
  ServerShared& shared_;
  const EventSink& sink_;
  std::atomic<End> end_{End::kNone};
  InBuffer buffer_;
  AlignedPool pool_;
  std::string export_name_;
  bool reads_ = true;    // more may come
  bool left_ = false;    // the client has said that it goes
  bool broken_ = false;  // nothing can be sent any more
  bool can_receive_ = false;
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_CONNECTION_H_
