#include "core/nbd/client.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/base/moved.h"
#include "core/base/no_memory.h"
#include "core/nbd/waited_request.h"

namespace blk::nbd {
namespace {

// A thread that runs `body`. -> false: none can be had.
template <typename Body>
bool StartThread(std::thread& thread, Body&& body) {
  try {
    thread = std::thread(std::forward<Body>(body));
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

void Raise(std::atomic<uint64_t>& to, uint64_t value) {
  uint64_t now = to.load(std::memory_order_relaxed);
  while (now < value && !to.compare_exchange_weak(now, value)) {
  }
}

}  // namespace

Result<std::shared_ptr<Client>> Client::Connect(ClientOptions options) {
  auto stop = WakeEvent::Create();
  if (!stop.ok()) return stop.status();
  auto first = Dial(options.address, options.name, options.connect_timeout, nullptr);
  if (!first.ok()) return first.status();
  std::shared_ptr<Client> client;
  Status status{ENOMEM, Op::kConnect};
  const bool had_memory = HadMemory([&] {
    client = std::shared_ptr<Client>(new Client(std::move(options), stop.Take()));
    status = client->Begin(first.Take());
  });
  if (!had_memory) return Status{ENOMEM, Op::kConnect};
  if (!status.ok()) return status;
  return client;
}

Client::~Client() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    stop_.Signal();
    moved_on_.NotifyAll();
  }
  for (const auto& lane : lanes_) lane->connection.Stop();
  for (const auto& lane : lanes_) {
    if (lane->thread.joinable()) lane->thread.join();
  }
}

Status Client::Begin(Dialled first) {
  facts_ = first.facts;
  const size_t wanted = facts_.Has(kCanMultiConn) ? std::max(1u, options_.connections) : 1;
  lanes_.reserve(wanted);
  for (size_t i = 0; i < wanted; i++) {
    auto wake = WakeEvent::Create();
    if (!wake.ok()) return wake.status();
    lanes_.push_back(std::make_unique<Lane>(wake.Take(), options_.request_timeout));
  }
  std::vector<Dialled> all;
  all.reserve(wanted);
  all.push_back(std::move(first));
  DialMore(all, wanted, options_.connect_timeout);
  MutexLock lock(mu_);
  OpenLanes(all);
  for (const auto& lane : lanes_) {
    // Lanes without a thread stay parked, and the destructor ends the others.
    if (!StartThread(lane->thread, [this, at = lane.get()] { RunLane(*at); })) return {EAGAIN, Op::kConnect};
  }
  return Status::Ok();
}

void Client::DialMore(std::vector<Dialled>& all, size_t lanes, std::chrono::milliseconds timeout) const {
  while (all.size() < lanes) {
    auto more = Dial(options_.address, options_.name, timeout, &stop_);
    // A server that serves fewer at once than we would have serves those.
    if (!more.ok() || !more.value().facts.SameAs(all.front().facts)) return;
    all.push_back(more.Take());
  }
}

Result<std::vector<Dialled>> Client::DialAll(std::chrono::milliseconds timeout) const {
  std::vector<Dialled> all;
  all.reserve(lanes_.size());
  auto first = Dial(options_.address, options_.name, timeout, &stop_);
  if (!first.ok()) return first.status();
  all.push_back(first.Take());
  const ExportFacts& facts = all.front().facts;
  const bool fits = facts.size == facts_.size && facts.blocks.minimum == facts_.blocks.minimum &&
                    facts.blocks.maximum >= facts_.blocks.maximum;
  if (!fits) return Status{ESTALE, Op::kConnect, Why::kNbdChanged};
  DialMore(all, facts.Has(kCanMultiConn) ? lanes_.size() : 1, timeout);
  return all;
}

void Client::OpenLanes(std::vector<Dialled>& all) {
  for (size_t i = 0; i < lanes_.size(); i++) {
    const bool connected = i < all.size();
    if (connected) lanes_[i]->connection.Open(std::move(all[i].socket), all[i].facts);
    lanes_[i]->parked = !connected;
  }
}

void Client::RunLane(Lane& lane) {
  const bool first = &lane == lanes_.front().get();
  for (;;) {
    {
      MutexLock lock(mu_);
      while (lane.parked && !first && !stopping_) moved_on_.Wait(mu_);
      if (lane.parked && stopping_) return;
    }
    OnOver(lane, lane.connection.Run());
    if (first && !ComeBack()) return;
  }
}

void Client::OnOver(Lane& lane, RequestList left) {
  const auto until = Clock::now() + options_.reconnect;
  RequestList off;
  {
    MutexLock lock(mu_);
    lane.parked = true;
    while (!left.empty()) {
      WireRequest& request = left.Pop();
      request.held_until = until;
      (request.off ? off : held_).Push(request);
    }
    if (state_ == ClientState::kConnected && !stopping_) {
      // One connection that is lost may be a server that is: none of the others is believed any more.
      state_ = ClientState::kLost;
      reason_ = lane.connection.why();
      losses_.fetch_add(1, std::memory_order_relaxed);
      for (const auto& other : lanes_) other->connection.Drop();
    }
    moved_on_.NotifyAll();
  }
  while (!off.empty()) Conclude(off.Pop(), WireEnd::kCancelled);
}

bool Client::ComeBack() {
  MutexLock lock(mu_);
  while (!std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->parked; })) {
    moved_on_.Wait(mu_);
  }
  if (completed_.load() > flushed_.load()) unflushed_ = true;
  flushed_.store(completed_.load());
  if (!stopping_) Become(ClientState::kLost);
  auto pause = kFirstPause;
  for (;;) {
    const bool over = stopping_ || ending_;
    if (EndHeld(WireEnd::kLost, over)) continue;
    if (stopping_) return false;
    if (over || (held_.empty() && revivers_ == 0)) {
      if (state_ != (over ? ClientState::kEnded : ClientState::kLost)) {
        Become(over ? ClientState::kEnded : ClientState::kLost);
        continue;
      }
      moved_on_.Wait(mu_);
      pause = kFirstPause;
      continue;
    }
    if (state_ != ClientState::kReconnecting) {
      Become(ClientState::kReconnecting);
      continue;
    }
    lock.Unlock();
    const Status tried = TryOnce();
    lock.Lock();
    tries_++;
    try_result_ = tried;
    revivers_ = 0;
    moved_on_.NotifyAll();
    if (tried.ok()) {
      // It may be lost again already, which this thread hears next.
      Tell(ClientState::kConnected);
      return true;
    }
    // Another export will not become ours by waiting.
    if (tried.err == ESTALE) {
      EndHeld(WireEnd::kChanged, true);
      continue;
    }
    const auto until = std::min(Clock::now() + pause, held_.empty() ? Clock::time_point::max() : NextHeld());
    moved_on_.WaitUntil(mu_, until);
    pause = std::min(2 * pause, kLongestPause);
  }
}

Status Client::TryOnce() {
  std::chrono::milliseconds timeout;
  {
    MutexLock lock(mu_);
    timeout = PatienceOfTry();
  }
  Status status{ENOMEM, Op::kConnect};
  const bool had_memory = HadMemory([&] {
    auto all = DialAll(timeout);
    status = all.status();
    if (!status.ok()) return;
    // Other flags may mean that it is another one of the same size: what was written to the one is not written to the
    // other.
    const bool changed = all.value().front().facts.flags != facts_.flags;
    RequestList again;
    {
      MutexLock lock(mu_);
      if (stopping_ || ending_) {
        status = {ECANCELED, Op::kConnect};
        return;
      }
      changed_ = changed;
      OpenLanes(all.value());
      state_ = ClientState::kConnected;
      reconnects_.fetch_add(1, std::memory_order_relaxed);
      again.Take(held_);
      // The lanes run only when the caller has told of it; what is put into them now waits there.
      moved_on_.NotifyAll();
    }
    while (!again.empty()) {
      WireRequest& request = again.Pop();
      if (changed && request.mutates()) {
        Conclude(request, WireEnd::kChanged);
      } else {
        Put(request);
      }
    }
  });
  return had_memory ? status : Status{ENOMEM, Op::kConnect};
}

std::chrono::milliseconds Client::PatienceOfTry() const {
  auto patience = options_.connect_timeout;
  if (held_.empty() || revivers_ > 0) return patience;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(NextHeld() - Clock::now());
  const auto some = std::max(left, std::chrono::milliseconds(1));
  return patience.count() == 0 ? some : std::min(patience, some);
}

Client::Clock::time_point Client::NextHeld() const {
  auto next = Clock::time_point::max();
  for (const WireRequest* one = held_.first(); one != nullptr; one = one->next) next = std::min(next, one->held_until);
  return next;
}

bool Client::EndHeld(WireEnd how, bool all) {
  const auto now = Clock::now();
  RequestList stay, over, off;
  while (!held_.empty()) {
    WireRequest& request = held_.Pop();
    // One whose server may have seen it is not over for being called off, unless it only reads.
    const bool harmless = request.sent == 0 || !request.mutates();
    const bool called_off = harmless && IsCancelled(request.cancel);
    (called_off ? off : all || request.held_until <= now ? over : stay).Push(request);
  }
  held_ = stay;
  if (over.empty() && off.empty()) return false;
  mu_.Unlock();
  while (!over.empty()) Conclude(over.Pop(), how);
  while (!off.empty()) Conclude(off.Pop(), WireEnd::kCancelled);
  mu_.Lock();
  return true;
}

void Client::Become(ClientState state) {
  state_ = state;
  moved_on_.NotifyAll();
  Tell(state);
}

void Client::Tell(ClientState state) {
  const Status reason = reason_;
  mu_.Unlock();
  if (options_.on_state) options_.on_state(state, reason);
  mu_.Lock();
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

bool Client::TryLanes(WireRequest& request) {
  const size_t lanes = lanes_.size();
  const size_t first = lanes == 1 ? 0 : turn_.fetch_add(1, std::memory_order_relaxed) % lanes;
  for (size_t i = 0; i < lanes; i++) {
    if (lanes_[(first + i) % lanes]->connection.Submit(request)) return true;
  }
  return false;
}

void Client::Put(WireRequest& request) {
  if (TryLanes(request)) return;
  {
    MutexLock lock(mu_);
    // It may have been made again meanwhile. If it was, and is lost again, whoever tells of that has still to come for
    // the lock, and finds the request.
    const bool connected = state_ == ClientState::kConnected;
    if (connected && TryLanes(request)) return;
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
  if (writing_[epoch].fetch_sub(1) == 1 && awaited_.load()) {
    MutexLock lock(mu_);
    moved_on_.NotifyAll();
  }
}

void Client::AwaitEarlierWrites() {
  MutexLock one(sync_mu_);
  const uint8_t old = epoch_.load();
  epoch_.store(old ^ 1);
  MutexLock lock(mu_);
  awaited_ = true;
  while (writing_[old].load() != 0) moved_on_.Wait(mu_);
  awaited_ = false;
}

Status Client::Sync() {
  AwaitEarlierWrites();
  WaitedRequest flush;
  flush.command = Command::kFlush;
  flush.covers = completed_.load();
  const bool asks = facts_.Has(kSendFlush);
  if (asks) {
    const Status status = flush.Wait(*this, Op::kFlush);
    if (!status.ok()) return status;
  }
  MutexLock lock(mu_);
  if (!asks) {
    // A server without it has nothing to flush.
    if (state_ != ClientState::kConnected) return {ENOTCONN, Op::kFlush, Why::kNbdLost};
    Raise(flushed_, flush.covers);
  }
  if (!std::exchange(unflushed_, false)) return Status::Ok();
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
  for (const auto& lane : lanes_) lane->connection.Drop();
  moved_on_.NotifyAll();
}

ClientState Client::state() const {
  MutexLock lock(mu_);
  return state_;
}

}  // namespace blk::nbd
