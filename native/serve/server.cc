#include "serve/server.h"

#include <algorithm>

#include "core/base/no_memory.h"
#include "core/base/start_thread.h"

namespace blk::serve {
namespace {

using std::chrono::milliseconds;

// How long nobody is accepted when the host has no room for another one.
constexpr milliseconds kPause{100};

}  // namespace

Server::Server(ServerOptions options, WakeEvent wake)
    : max_connections_(options.max_connections), sink_(std::move(options.sink)), wake_(std::move(wake)) {
  shared_.nameless = options.nameless;
  shared_.handshake = options.handshake;
  for (ExportOptions& exported : options.exports) {
    shared_.exports.push_back(std::make_unique<Export>(std::move(exported)));
    shared_.facts.push_back(shared_.exports.back()->facts());
  }
}

Result<std::unique_ptr<Server>> Server::Listen(ServerOptions options, SocketListener listener) {
  auto wake = WakeEvent::Create();
  if (!wake.ok()) {
    // The failure is that there is no descriptor; the path goes all the same.
    static_cast<void>(listener.Close());
    return wake.status();
  }
  std::unique_ptr<Server> server(new Server(std::move(options), wake.Take()));
  server->address_ = listener.address();
  server->listener_ = std::move(listener);
  const Status begun = server->Begin();
  if (!begun.ok()) return begun;
  return server;
}

Result<std::unique_ptr<Server>> Server::Over(ServerOptions options, Socket socket) {
  auto wake = WakeEvent::Create();
  if (!wake.ok()) return wake.status();
  std::unique_ptr<Server> server(new Server(std::move(options), wake.Take()));
  if (!server->Serve(std::move(socket))) return Status{EAGAIN, Op::kServe};
  const Status begun = server->Begin();
  if (!begun.ok()) return begun;
  return server;
}

Status Server::Begin() {
  if (StartThread(thread_, [this] { Run(); })) return Status::Ok();
  StopAll(Connection::End::kCut);
  for (Client& client : clients_) client.thread.join();
  if (listener_) static_cast<void>(listener_->Close());
  return {EAGAIN, Op::kServe};
}

Server::~Server() {
  Close(milliseconds(0));
  Join();
}

void Server::Close(milliseconds drain) {
  const Clock::time_point by = Clock::now() + drain;
  MutexLock lock(mu_);
  if (!drained_by_ || by < *drained_by_) drained_by_ = by;
  wake_.Signal();
}

void Server::Cut() {
  MutexLock lock(mu_);
  drained_by_ = Clock::now();
  cut_ = true;
  wake_.Signal();
}

void Server::Join() {
  if (thread_.joinable()) thread_.join();
}

ServerStats Server::stats() const {
  const Tally& tally = shared_.tally;
  const auto of = [](const std::atomic<uint64_t>& count) { return count.load(std::memory_order_relaxed); };
  return {of(tally.requests), of(tally.bytes_read), of(tally.bytes_written), of(tally.errors)};
}

// ---- the server's thread

void Server::Run() {
  const bool listens = listener_.has_value();
  for (;;) {
    const std::optional<milliseconds> limit = GoOnClosing();
    if (told_ != Connection::End::kNone && listener_) {
      const Status closed = listener_->Close();
      listener_.reset();
      if (!closed.ok()) sink_({ServerEvent::Kind::kError, 0, {}, {}, closed});
    }
    Reap();
    if (clients_.empty() && (told_ != Connection::End::kNone || !listens)) break;
    if (listener_) {
      const Readiness ready = listener_->Wait(&wake_, limit);
      if (ready.woken) wake_.Clear();
      if (ready.receive) AcceptOne();
    } else {
      wake_.Wait(limit);
      wake_.Clear();
    }
  }
  sink_({});
}

std::optional<milliseconds> Server::GoOnClosing() {
  std::optional<Clock::time_point> by;
  bool cut = false;
  {
    MutexLock lock(mu_);
    by = drained_by_;
    cut = cut_;
  }
  if (!by) return std::nullopt;
  const Clock::time_point now = Clock::now();
  const Clock::time_point last = *by + kGrace;
  const bool drained = now >= *by;
  const auto how = cut || now >= last ? Connection::End::kCut
                   : drained          ? Connection::End::kFinish
                                      : Connection::End::kDrain;
  if (how != told_) StopAll(how);
  told_ = how;
  if (how == Connection::End::kCut) return std::nullopt;
  return std::chrono::ceil<milliseconds>((drained ? last : *by) - now);
}

void Server::StopAll(Connection::End how) {
  for (Client& client : clients_) client.connection->Stop(how);
}

void Server::AcceptOne() {
  auto accepted = listener_->Accept();
  if (!accepted.ok()) {
    sink_({ServerEvent::Kind::kError, 0, {}, {}, accepted.status()});
    // The one that could not be accepted is still there: not to ask for it again and again.
    wake_.Wait(kPause);
    return;
  }
  if (!accepted.value()) return;
  Reap();
  // Who is too many is closed by going out of scope.
  if (clients_.size() >= max_connections_) return;
  Serve(std::move(*accepted.value()));
}

bool Server::Serve(Socket socket) {
  const uint64_t id = ++last_id_;
  Status failed = Status::Ok();
  const bool had_memory = HadMemory([&] {
    auto connection = Connection::Create(id, std::move(socket), shared_, sink_);
    if (!connection.ok()) {
      failed = connection.status();
      return;
    }
    Client& client = clients_.emplace_back();
    client.connection = connection.Take();
    connections_.fetch_add(1, std::memory_order_relaxed);
    const bool started = StartThread(client.thread, [this, &client] {
      client.connection->Run();
      connections_.fetch_sub(1, std::memory_order_relaxed);
      client.over.store(true, std::memory_order_release);
      wake_.Signal();
    });
    if (started) return;
    connections_.fetch_sub(1, std::memory_order_relaxed);
    clients_.pop_back();
    failed = {EAGAIN, Op::kServe};
  });
  if (!had_memory) failed = {ENOMEM, Op::kServe};
  if (!failed.ok()) sink_({ServerEvent::Kind::kError, id, {}, {}, failed});
  return failed.ok();
}

void Server::Reap() {
  for (auto client = clients_.begin(); client != clients_.end();) {
    if (!client->over.load(std::memory_order_acquire)) {
      ++client;
      continue;
    }
    client->thread.join();
    client = clients_.erase(client);
  }
}

}  // namespace blk::serve
