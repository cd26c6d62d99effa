// Connection: requests and replies over one socket: what was submitted goes out in one send, what came in is parsed
// whole and settled together, and large reads are received in their place. It is run by one thread, again and again,
// each time over another socket; Submit(), Stop() and Drop() are for any thread.
// Lock order: mu_ is a leaf; requests end without it.
#ifndef RUMPBLK_CORE_NBD_CONNECTION_H_
#define RUMPBLK_CORE_NBD_CONNECTION_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/status.h"
#include "core/base/sync.h"
#include "core/host/socket.h"
#include "core/nbd/export_facts.h"
#include "core/nbd/reply_parser.h"
#include "core/nbd/wire_request.h"

namespace blk::nbd {

class Connection final : private ReplyBook {
 public:
  using Clock = std::chrono::steady_clock;

  // `timeout`: that long without a byte from or to the server while requests are under way ends it; 0: never.
  Connection(WakeEvent wake, std::chrono::milliseconds timeout) : wake_(std::move(wake)), timeout_(timeout) {}

  // Takes requests from here on, for a Run() to come.   REQUIRES: no Run() is under way.
  void Open(Socket socket, const ExportFacts& facts) EXCLUDES(mu_);
  // Begins a request; who is awake is not woken, nor anybody for one that has `more` behind it. -> false: it is over,
  // and nothing has happened.   Thread: any.
  bool Submit(WireRequest& request) EXCLUDES(mu_);
  // Wakes who sleeps although there is something to send.   Thread: any.
  void Kick() EXCLUDES(mu_);
  // Serves requests until it is over. -> those that have no answer, in the order of their coming.
  // REQUIRES: Open() was called since the last one.
  RequestList Run() EXCLUDES(mu_);
  // Why the last Run() has ended: ok behind Stop().   Thread: that of Run(), or behind it.
  Status why() const { return why_; }

  // Ends it when nothing is under way that anybody waits for, and tells the server.
  void Stop() EXCLUDES(mu_);
  // Ends it now.
  void Drop() EXCLUDES(mu_);
  // Lets go of its descriptors.   REQUIRES: no Run() is under way, and none follows.
  void Release() EXCLUDES(mu_);

 private:
  static constexpr size_t kBuffer = 256 * 1024;
  // How often it is looked whether reads under way were called off.
  static constexpr std::chrono::milliseconds kLook{100};

  static Status Lost(int err) { return {err, Op::kConnect, Why::kNbdLost}; }

  PendingReply* Find(uint64_t cookie) override;
  void Finish(uint64_t cookie) override;

  // Each: what ends it, or ok.
  Status Serve() EXCLUDES(mu_);
  Status SendSome();
  Status ReceiveSome();
  // Takes what was submitted. -> false: it was dropped.
  bool TakeQueue() EXCLUDES(mu_);
  // Waits for something to do.
  Status Wait() EXCLUDES(mu_);
  std::optional<std::chrono::milliseconds> Patience() const;

  // Gives a request its cookie and its place in what is sent.
  void Begin(WireRequest& request);
  WireRequest* At(uint64_t cookie);
  // Ends what a receive has answered.
  void Settle();
  // Lets go of the memory of reads that were called off.
  void LookForCalledOff();
  // Says goodbye, if the host takes it at once.
  void Disconnect();
  RequestList TakeLeft() EXCLUDES(mu_);

  WakeEvent wake_;
  const std::chrono::milliseconds timeout_;

  Mutex mu_;
  RequestList queue_ GUARDED_BY(mu_);
  bool open_ GUARDED_BY(mu_) = false;
  bool asleep_ GUARDED_BY(mu_) = false;
  bool stopping_ GUARDED_BY(mu_) = false;
  bool dropped_ GUARDED_BY(mu_) = false;

  // The running thread's.
  Socket socket_;
  std::optional<ReplyParser> parser_;
  Status why_;
  std::vector<uint8_t> buffer_;
  std::vector<SocketSpan> spans_;
  RequestList outgoing_;  // of those under way, what is not sent yet
  RequestList settled_;
  size_t first_sent_ = 0;  // bytes of the first of them
  // Requests under way by place; the upper half of a cookie tells those apart that had the same one after another.
  struct Place {
    WireRequest* request = nullptr;
    uint32_t turn = 0;
    bool sending = false;
  };
  std::vector<Place> places_;
  std::vector<uint32_t> free_;
  size_t under_way_ = 0;
  size_t cancellable_ = 0;
  size_t unawaited_ = 0;        // of those under way: hints, and reads that were called off
  Clock::time_point progress_;  // when a byte was moved last, or the first request came
  Clock::time_point looked_;
  bool stop_seen_ = false;
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_CONNECTION_H_
