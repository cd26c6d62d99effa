// What a client does when a connection is lost: what is left over is held or ended, and all of it is connected again.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/base/moved.h"
#include "core/base/no_memory.h"
#include "core/nbd/client.h"

namespace blk::nbd {

void Client::RunLink(Link& link) {
  const bool first = &link == links_.front().get();
  for (;;) {
    {
      MutexLock lock(mu_);
      while (link.parked && !first && !stopping_) moved_on_.Wait(mu_);
      if (link.parked && stopping_) return;
    }
    OnOver(link, link.connection.Run());
    if (first && !ComeBack()) return;
  }
}

void Client::OnOver(Link& link, RequestList left) {
  const auto until = Clock::now() + options_.reconnect;
  RequestList off;
  {
    MutexLock lock(mu_);
    link.parked = true;
    while (!left.empty()) {
      WireRequest& request = left.Pop();
      request.held_until = until;
      (request.off ? off : held_).Push(request);
    }
    if (state_ == ClientState::kConnected && !stopping_) {
      // One connection that is lost may be a server that is: none of the others is believed any more.
      state_ = ClientState::kLost;
      reason_ = link.connection.why();
      losses_.fetch_add(1, std::memory_order_relaxed);
      for (const auto& other : links_) other->connection.Drop();
    }
    moved_on_.NotifyAll();
  }
  while (!off.empty()) Conclude(off.Pop(), WireEnd::kCancelled);
}

bool Client::ComeBack() {
  MutexLock lock(mu_);
  while (!std::all_of(links_.begin(), links_.end(), [](const auto& link) { return link->parked; })) {
    moved_on_.Wait(mu_);
  }
  if (completed_.load() > flushed_.load()) unflushed_++;
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
      if (options_.on_again) options_.on_again();
      OpenLinks(all.value());
      state_ = ClientState::kConnected;
      reconnects_.fetch_add(1, std::memory_order_relaxed);
      again.Take(held_);
      // The links run only when the caller has told of it; what is put into them now waits there.
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

Result<std::vector<Dialled>> Client::DialAll(std::chrono::milliseconds timeout) const {
  std::vector<Dialled> all;
  all.reserve(links_.size());
  auto first = Dial(options_.address, options_.name, timeout, &stop_);
  if (!first.ok()) return first.status();
  all.push_back(first.Take());
  const ExportFacts& facts = all.front().facts;
  const bool fits = facts.size == facts_.size && facts.blocks.minimum == facts_.blocks.minimum &&
                    facts.blocks.maximum >= facts_.blocks.maximum;
  if (!fits) return Status{ESTALE, Op::kConnect, Why::kNbdChanged};
  DialMore(all, facts.Has(kCanMultiConn) ? links_.size() : 1, timeout, &stop_);
  return all;
}

}  // namespace blk::nbd
