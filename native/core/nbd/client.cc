#include "core/nbd/client.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/base/moved.h"
#include "core/base/no_memory.h"
#include "core/base/start_thread.h"
#include "core/nbd/wire_error.h"

namespace blk::nbd {
namespace {

void Raise(std::atomic<uint64_t>& to, uint64_t value) {
  uint64_t now = to.load(std::memory_order_relaxed);
  while (now < value && !to.compare_exchange_weak(now, value)) {
  }
}

}  // namespace

Result<std::shared_ptr<Client>> Client::Connect(ClientOptions options, const WakeEvent* called_off) {
  auto stop = WakeEvent::Create();
  if (!stop.ok()) return stop.status();
  auto first = Dial(options.address, options.name, options.connect_timeout, called_off);
  if (!first.ok()) return first.status();
  std::shared_ptr<Client> client;
  Status status{ENOMEM, Op::kConnect};
  const bool had_memory = HadMemory([&] {
    client = std::shared_ptr<Client>(new Client(std::move(options), stop.Take()));
    status = client->Begin(first.Take(), called_off);
  });
  if (!had_memory) return Status{ENOMEM, Op::kConnect};
  if (!status.ok()) return status;
  return client;
}

void Client::Close() {
  bool ends = false;
  {
    MutexLock lock(mu_);
    ends = !std::exchange(stopping_, true);
    stop_.Signal();
    moved_on_.NotifyAll();
  }
  if (!ends) return;
  for (const auto& link : links_) link->connection.Stop();
  for (const auto& link : links_) {
    if (link->thread.joinable()) link->thread.join();
  }
  MutexLock lock(mu_);
  if (begun_ && state_ != ClientState::kEnded) Become(ClientState::kEnded);
  // Whoever keeps this object, which may be until it is collected, keeps no descriptors by it.
  for (const auto& link : links_) link->connection.Release();
  stop_ = {};
}

Status Client::Begin(Dialled first, const WakeEvent* called_off) {
  facts_ = first.facts;
  const size_t wanted = facts_.Has(kCanMultiConn) ? std::max(1u, options_.connections) : 1;
  links_.reserve(wanted);
  for (size_t i = 0; i < wanted; i++) {
    auto wake = WakeEvent::Create();
    if (!wake.ok()) return wake.status();
    links_.push_back(std::make_unique<Link>(wake.Take(), options_.request_timeout));
  }
  std::vector<Dialled> all;
  all.reserve(wanted);
  all.push_back(std::move(first));
  DialMore(all, wanted, options_.connect_timeout, called_off);
  MutexLock lock(mu_);
  OpenLinks(all);
  for (const auto& link : links_) {
    if (StartThread(link->thread, [this, at = link.get()] { RunLink(*at); })) continue;
    // The destructor ends the others, which wait for those that are not parked.
    for (const auto& other : links_) other->parked |= !other->thread.joinable();
    return {EAGAIN, Op::kConnect};
  }
  begun_ = true;
  Tell(ClientState::kConnected);
  return Status::Ok();
}

void Client::DialMore(std::vector<Dialled>& all, size_t links, std::chrono::milliseconds timeout,
                      const WakeEvent* stop) const {
  while (all.size() < links) {
    auto more = Dial(options_.address, options_.name, timeout, stop);
    // A server that serves fewer at once than we would have serves those.
    if (!more.ok() || !more.value().facts.SameAs(all.front().facts)) return;
    all.push_back(more.Take());
  }
}

void Client::OpenLinks(std::vector<Dialled>& all) {
  for (size_t i = 0; i < links_.size(); i++) {
    const bool connected = i < all.size();
    if (connected) links_[i]->connection.Open(std::move(all[i].socket), all[i].facts);
    links_[i]->parked = !connected;
  }
}

void Client::Submit(WireRequest& request) {
  request.end = OnEnd;
  request.client = this;
  request.sent = 0;
  request.off = false;
  if (request.mutates()) {
    request.epoch = epoch_.load();
    writing_[request.epoch].fetch_add(1);
    if (changed_.load(std::memory_order_relaxed)) return Conclude(request, WireEnd::kChanged);
  }
  Put(request);
}

bool Client::TryLinks(WireRequest& request) {
  const size_t links = links_.size();
  const size_t first = links == 1 ? 0 : turn_.fetch_add(1, std::memory_order_relaxed) % links;
  for (size_t i = 0; i < links; i++) {
    if (links_[(first + i) % links]->connection.Submit(request)) return true;
  }
  return false;
}

void Client::Put(WireRequest& request) {
  if (TryLinks(request)) return;
  {
    MutexLock lock(mu_);
    // It may have been made again meanwhile. If it was, and is lost again, whoever tells of that has still to come for
    // the lock, and finds the request.
    const bool connected = state_ == ClientState::kConnected;
    if (connected && TryLinks(request)) return;
    const bool hopeless = ending_ || stopping_ || (!connected && options_.reconnect.count() == 0);
    if (!hopeless) {
      request.held_until = Clock::now() + options_.reconnect;
      held_.Push(request);
      moved_on_.NotifyAll();
      return;
    }
  }
  Conclude(request, WireEnd::kLost);
}

void Client::OnEnd(WireRequest& request, WireEnd how) { static_cast<Client*>(request.client)->Conclude(request, how); }

void Client::Conclude(WireRequest& request, WireEnd how) {
  const bool done = how == WireEnd::kAnswered && request.error == 0;
  if (done && request.command == Command::kFlush) Raise(flushed_, request.covers);
  if (!request.mutates()) return request.finish(request, how);
  // What is trimmed may read as anything until it is written again.
  if (done && request.command != Command::kTrim && (request.flags & kFlagFua) == 0) completed_.fetch_add(1);
  const uint8_t epoch = request.epoch;
  request.finish(request, how);
  // Behind `finish`: whoever waits for this write finds it complete.
  if (writing_[epoch].fetch_sub(1) == 1 && awaited_.load()) TurnEpochs();
}

void Client::StartSync(SyncRequest& sync) {
  sync.behind = nullptr;
  {
    MutexLock lock(mu_);
    (come_ == nullptr ? come_ : last_come_->behind) = &sync;
    last_come_ = &sync;
    // Whoever ends the wait of those before finds it.
    if (awaiting_ != nullptr) return;
  }
  TurnEpochs();
}

void Client::TurnEpochs() {
  for (;;) {
    SyncRequest* ready = nullptr;
    {
      MutexLock lock(mu_);
      if (awaiting_ == nullptr) {
        if (come_ == nullptr) return;
        awaiting_ = std::exchange(come_, nullptr);
        epoch_.store(epoch_.load() ^ 1);
        // Before the look below: whoever ends the last write of the old epoch sees this, or is seen there.
        awaited_.store(true);
      }
      if (writing_[epoch_.load() ^ 1].load() != 0) return;
      awaited_.store(false);
      ready = std::exchange(awaiting_, nullptr);
    }
    while (ready != nullptr) {
      SyncRequest& one = *ready;
      ready = one.behind;
      SendFlush(one);
    }
  }
}

void Client::SendFlush(SyncRequest& sync) {
  sync.command = Command::kFlush;
  sync.covers = completed_.load();
  if (!facts_.Has(kSendFlush)) {
    Status status;
    {
      MutexLock lock(mu_);
      // A server without it has nothing to flush.
      const bool connected = state_ == ClientState::kConnected;
      if (connected) Raise(flushed_, sync.covers);
      status = connected ? AnswerOf(sync) : Status{ENOTCONN, Op::kFlush, Why::kNbdLost};
    }
    return sync.done(sync, status);
  }
  sync.finish = [](WireRequest& request, WireEnd how) {
    auto& its = static_cast<SyncRequest&>(request);
    Client& client = *static_cast<Client*>(its.client);
    Status status = StatusOf(its, how, Op::kFlush);
    if (status.ok()) {
      MutexLock lock(client.mu_);
      status = client.AnswerOf(its);
    }
    its.done(its, status);
  };
  Submit(sync);
}

Status Client::AnswerOf(SyncRequest& sync) {
  if (sync.told->exchange(unflushed_) == unflushed_) return Status::Ok();
  return {EIO, Op::kFlush, Why::kNbdUnflushed};
}

Status Client::Revive() {
  MutexLock lock(mu_);
  while (state_ != ClientState::kConnected) {
    if (ending_) return {ENOTCONN, Op::kConnect, Why::kNbdLost};
    const uint64_t before = tries_;
    revivers_++;
    moved_on_.NotifyAll();
    while (tries_ == before && !ending_ && state_ != ClientState::kConnected) moved_on_.Wait(mu_);
    if (tries_ != before && !try_result_.ok()) return try_result_;
  }
  return Status::Ok();
}

void Client::End() {
  MutexLock lock(mu_);
  ending_ = true;
  stop_.Signal();
  for (const auto& link : links_) link->connection.Drop();
  moved_on_.NotifyAll();
}

uint64_t Client::unflushed() const {
  MutexLock lock(mu_);
  return unflushed_;
}

ClientState Client::state() const {
  MutexLock lock(mu_);
  return state_;
}

}  // namespace blk::nbd
