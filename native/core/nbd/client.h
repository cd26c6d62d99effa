// Client: an export of a server, over one connection or several, made again where that is wanted. Requests that a lost
// connection leaves without an answer end as lost, or are held and repeated; writes that were completed and not flushed
// before are told of once, by the next flush. One thread a connection; the first of them makes new ones, too.
// Thread-safe. Lock order: mu_, then a Connection's; requests end without either.
#ifndef RUMPBLK_CORE_NBD_CLIENT_H_
#define RUMPBLK_CORE_NBD_CLIENT_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/base/status.h"
#include "core/base/sync.h"
#include "core/host/socket.h"
#include "core/host/socket_address.h"
#include "core/nbd/connection.h"
#include "core/nbd/dial.h"
#include "core/nbd/export_facts.h"
#include "core/nbd/sync_request.h"
#include "core/nbd/wire_request.h"

namespace blk::nbd {

// Of a client that is made; their names cross by addon/layout.cc.
enum class ClientState : uint8_t { kConnected = 0, kLost = 1, kReconnecting = 2, kEnded = 3 };

struct ClientOptions {
  SocketAddress address;
  std::string name;          // of the export
  unsigned connections = 1;  // more than one only where the server says that it may be
  std::chrono::milliseconds reconnect{0};
  std::chrono::milliseconds request_timeout{60000};
  std::chrono::milliseconds connect_timeout{10000};
  // Told of each change, by threads of the client, without a lock, and of the reason for a loss. It does not wait.
  std::function<void(ClientState state, Status reason)> on_state;
  // Called before a connection that was made again is used: the server may have another content. It does not wait.
  std::function<void()> on_again;
};

class Client {
 public:
  // Connects and goes through the handshake; it waits. A signal of `called_off`, where given, ends it with ECANCELED.
  // Errors: those of Dial() · EAGAIN no thread can be had.
  static Result<std::shared_ptr<Client>> Connect(ClientOptions options, const WakeEvent* called_off = nullptr);
  // As Close().
  ~Client() { Close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // What the first handshake has found. Fixed.
  const ExportFacts& facts() const { return facts_; }
  // Begins a request.   Thread: any; it does not wait.
  void Submit(WireRequest& request) EXCLUDES(mu_);
  // Sends on its way what was submitted with `more`.   Thread: any; it does not wait.
  void Kick() {
    for (const auto& link : links_) link->connection.Kick();
  }
  // Makes all that was completed durable, once the writes that began before are over.
  // Errors, of `done`: EIO kNbdUnflushed, once for each `told`: writes may be missing · ENOTCONN · the server's.
  // Thread: any; it does not wait.
  void StartSync(SyncRequest& sync) EXCLUDES(mu_);
  // Losses so far with which writes may be gone that were completed and not flushed.
  uint64_t unflushed() const EXCLUDES(mu_);
  // Makes a connection that was lost again, as it waits for. Errors: those of Dial() · ESTALE it is another export.
  Status Revive() EXCLUDES(mu_);
  // Says goodbye, and waits for the threads. Once is enough.   REQUIRES: no request is under way.   Thread: any but the
  // client's.
  void Close() EXCLUDES(mu_);
  // Ends it for good: what is under way is lost now, and nothing waits for a server any more.   Thread: any.
  void End() EXCLUDES(mu_);

  ClientState state() const EXCLUDES(mu_);
  uint64_t reconnects() const { return reconnects_.load(std::memory_order_relaxed); }
  uint64_t losses() const { return losses_.load(std::memory_order_relaxed); }
  size_t connections() const { return links_.size(); }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kFirstPause{20}, kLongestPause{1000};

  // A connection and its thread.
  struct Link {
    explicit Link(WakeEvent wake, std::chrono::milliseconds timeout) : connection(std::move(wake), timeout) {}
    Connection connection;
    bool parked = false;  // guarded by mu_: its thread waits for the next turn
    std::thread thread;
  };

  Client(ClientOptions options, WakeEvent stop) : options_(std::move(options)), stop_(std::move(stop)) {}

  // Makes as many connections as there shall be; `first` is there already. Errors: EAGAIN no thread can be had.
  Status Begin(Dialled first, const WakeEvent* called_off) EXCLUDES(mu_);
  // Connects what links there are; of those behind the first it may fail for each.
  Result<std::vector<Dialled>> DialAll(std::chrono::milliseconds timeout) const;
  void DialMore(std::vector<Dialled>& all, size_t links, std::chrono::milliseconds timeout,
                const WakeEvent* stop) const;
  // Opens the links that have a connection.
  void OpenLinks(std::vector<Dialled>& all) REQUIRES(mu_);
  // What each thread does.
  void RunLink(Link& link) EXCLUDES(mu_);
  // What is left of a link's connection, which has ended.
  void OnOver(Link& link, RequestList left) EXCLUDES(mu_);
  // Of the first thread: until all is connected again. -> false: it has ended.
  bool ComeBack() EXCLUDES(mu_);
  // Errors: those of Revive().
  Status TryOnce() EXCLUDES(mu_);
  // Ends what is held and nobody waits for any more, or `all` of it; steps out of the lock. -> whether there was any.
  bool EndHeld(WireEnd how, bool all) REQUIRES(mu_);
  // How long a try may take: no longer than any that is held.
  std::chrono::milliseconds PatienceOfTry() const REQUIRES(mu_);
  // Notes a state, and tells it; steps out of the lock.
  void Become(ClientState state) REQUIRES(mu_);
  void Tell(ClientState state) REQUIRES(mu_);
  Clock::time_point NextHeld() const REQUIRES(mu_);

  bool TryLinks(WireRequest& request);
  void Put(WireRequest& request) EXCLUDES(mu_);
  void Hold(WireRequest& request) EXCLUDES(mu_);
  // Notes what the end of a request means for the others, and ends it.
  void Conclude(WireRequest& request, WireEnd how) EXCLUDES(mu_);
  // Begins a new epoch for the syncs that have come since the last one, or the flushes of those whose writes are over.
  void TurnEpochs() EXCLUDES(mu_);
  void SendFlush(SyncRequest& sync) EXCLUDES(mu_);
  // What a flush that went well is answered.
  Status AnswerOf(SyncRequest& sync) REQUIRES(mu_);
  static void OnEnd(WireRequest& request, WireEnd how);

  const ClientOptions options_;
  WakeEvent stop_;  // ends dialling; gone behind Close()
  ExportFacts facts_;
  std::vector<std::unique_ptr<Link>> links_;  // fixed behind Begin()
  std::atomic<uint32_t> turn_{0};             // whose link the next request takes
  std::atomic<uint64_t> reconnects_{0}, losses_{0};
  std::atomic<bool> changed_{false};  // the export has other flags now: it is only read

  // Writes of each epoch that are under way: a flush begins a new one and comes when the old one is over.
  std::atomic<uint8_t> epoch_{0};
  std::array<std::atomic<uint64_t>, 2> writing_{};
  std::atomic<bool> awaited_{false};  // somebody wants to hear when the old one is over
  // Writes that were completed without FUA, and how many of them a flush has covered.
  std::atomic<uint64_t> completed_{0}, flushed_{0};

  mutable Mutex mu_;
  CondVar moved_on_;  // anything below, or a link
  // Syncs in the order of their coming: those that the old epoch is awaited for, and those that have come since.
  SyncRequest* awaiting_ GUARDED_BY(mu_) = nullptr;
  SyncRequest* come_ GUARDED_BY(mu_) = nullptr;
  SyncRequest* last_come_ GUARDED_BY(mu_) = nullptr;
  ClientState state_ GUARDED_BY(mu_) = ClientState::kConnected;
  bool begun_ GUARDED_BY(mu_) = false;  // it was connected once
  Status reason_ GUARDED_BY(mu_);       // of the last loss
  RequestList held_ GUARDED_BY(mu_);
  bool ending_ GUARDED_BY(mu_) = false;
  bool stopping_ GUARDED_BY(mu_) = false;
  uint64_t unflushed_ GUARDED_BY(mu_) = 0;
  unsigned revivers_ GUARDED_BY(mu_) = 0;  // those that wait for the next try
  uint64_t tries_ GUARDED_BY(mu_) = 0;
  Status try_result_ GUARDED_BY(mu_);
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_CLIENT_H_
