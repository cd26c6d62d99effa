// Server: exports for NBD clients, on a listening socket or over one connection. One thread listens, starts a thread
// for each client, and ends them all. JavaScript has no part in any request. Thread-safe. Lock order: mu_ is a leaf;
// events are told without it.
#ifndef RUMPBLK_SERVE_SERVER_H_
#define RUMPBLK_SERVE_SERVER_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/sync.h"
#include "core/host/socket.h"
#include "serve/connection.h"

namespace blk::serve {

struct ServerOptions {
  std::vector<ExportOptions> exports;
  // The export that the empty name stands for.
  std::optional<size_t> nameless;
  // Clients at a time; others are cut off before a word.
  size_t max_connections = 64;
  // What a client may take to choose an export; it is cut off then.
  std::chrono::milliseconds handshake{10000};
  // Called on threads of the server, kClosed last, when no connection is left. It does not wait.
  EventSink sink;
};

struct ServerStats {
  uint64_t requests = 0;
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t errors = 0;
};

class Server {
 public:
  // What answers may take to go out when a server closes and clients do not read them.
  static constexpr std::chrono::milliseconds kGrace{1000};

  // Serves who connects. Errors: EMFILE, ENFILE, ENOMEM, EAGAIN no thread; the socket is closed then.
  static Result<std::unique_ptr<Server>> Listen(ServerOptions options, SocketListener listener);
  // Serves one client, and closes when that goes. Errors: the same.
  static Result<std::unique_ptr<Server>> Over(ServerOptions options, Socket socket);
  // Closes without a drain, and waits for the end: as long as requests under way take.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Begins to close: nobody is accepted any more, requests that come are ESHUTDOWN, and clients have `drain` to go;
  // then each is cut off as soon as what it has under way is done. A second call can only shorten the drain.
  void Close(std::chrono::milliseconds drain) EXCLUDES(mu_);
  // Cuts off every client at once, and ends transfers half-way.
  void Cut() EXCLUDES(mu_);
  // Waits until it is closed.
  void Join();

  // Ends an export, as Export::calls() does it. `idle` is called once, on any thread.   REQUIRES: i < exports.
  void EndExport(size_t i, std::function<void()> idle) { shared_.exports[i]->calls().Close(std::move(idle)); }

  // Where it listens; of one connection nothing. A port that was free is told.
  const std::optional<SocketAddress>& address() const { return address_; }
  // Clients now.
  size_t connections() const { return connections_.load(std::memory_order_relaxed); }
  ServerStats stats() const;

 private:
  using Clock = std::chrono::steady_clock;

  struct Client {
    std::unique_ptr<Connection> connection;
    std::thread thread;
    std::atomic<bool> over{false};
  };

  Server(ServerOptions options, WakeEvent wake);
  Status Begin();
  // The server's own thread.
  void Run();
  void AcceptOne();
  // -> false without a thread or memory: the client is gone.
  bool Serve(Socket socket);
  // Joins the threads of those that are gone.
  void Reap();
  void StopAll(Connection::End how);
  // What to do next on the way to the end. -> how long to wait for.
  std::optional<std::chrono::milliseconds> GoOnClosing();

  const size_t max_connections_;
  const EventSink sink_;
  ServerShared shared_;
  const WakeEvent wake_;
  std::optional<SocketAddress> address_;
  std::atomic<size_t> connections_{0};

  Mutex mu_;
  std::optional<Clock::time_point> drained_by_ GUARDED_BY(mu_);  // once it closes
  bool cut_ GUARDED_BY(mu_) = false;

  // Of its thread alone, from Begin() on.
  std::optional<SocketListener> listener_;
  std::list<Client> clients_;
  uint64_t last_id_ = 0;
  Connection::End told_ = Connection::End::kNone;

  std::thread thread_;
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_SERVER_H_
