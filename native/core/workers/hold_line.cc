#include "core/workers/hold_line.h"

#include "core/base/no_memory.h"
#include "core/base/start_thread.h"

namespace blk {

HoldTicket::HoldTicket(std::shared_ptr<HoldLine> line, uint64_t delay, std::optional<uint64_t> tag,
                       const std::atomic<bool>& ended)
    : line_(std::move(line)), ended_(ended), tag_(tag) {
  line_->Enter(*this, delay);
}

HoldTicket::~HoldTicket() { line_->Leave(*this); }

void HoldTicket::StandBack() {
  MutexLock lock(line_->mu_);
  if (!std::exchange(back_, true)) line_->entered_--;
}

bool HoldTicket::Hold(const std::atomic<bool>* cancel, void (*go)(void* owner), void* owner, HoldTicket* instead_of) {
  MutexLock lock(line_->mu_);
  if (instead_of != nullptr && !std::exchange(instead_of->back_, true)) line_->entered_--;
  if (std::exchange(back_, false)) line_->entered_++;
  if (state_ == State::kOver) return false;
  if (cancel != nullptr && cancel->load(std::memory_order_relaxed)) {
    called_off_.store(true, std::memory_order_release);
    // Other parts of the same request that are held here already.
    HoldGone others;
    line_->End(*this, others);
    lock.Unlock();
    HoldLine::Call(others);
    return false;
  }
  if (state_ == State::kTimed && line_->clock_ == HoldLine::Clock::kReal) {
    if (!line_->watcher_.joinable()) {
      // Without a thread for it nothing is held.
      if (!StartThread(line_->watcher_, [line = line_.get()] { line->Watch(); })) return false;
    }
    line_->changed_.NotifyAll();
  }
  // Without memory for it nothing is held.
  const bool first = waiting_.empty();
  if (!HadMemory([&] { waiting_.push_back({go, owner}); })) return false;
  cancel_ = cancel;
  if (first) line_->held_++;
  return true;
}

bool HoldTicket::hangs() const {
  MutexLock lock(line_->mu_);
  return state_ == State::kHanging;
}

void HoldTicket::WaitHere() {
  HoldGone gone;
  MutexLock lock(line_->mu_);
  if (line_->clock_ == HoldLine::Clock::kVirtual) {
    while (state_ == State::kTimed) {
      const auto first = line_->timed_.begin();
      HoldTicket& next = *first->second;
      if (line_->now_ < first->first.first) line_->now_ = first->first.first;
      line_->End(next, gone);
    }
    lock.Unlock();
    return HoldLine::Call(gone);
  }
  while (state_ == State::kTimed) {
    const uint64_t now = line_->NowLocked();
    if (now >= due_) {
      line_->End(*this, gone);
      break;
    }
    line_->changed_.WaitUntil(line_->mu_, std::chrono::steady_clock::now() + std::chrono::nanoseconds(due_ - now));
  }
}

HoldLine::HoldLine(Clock clock, uint64_t start) : clock_(clock), start_(start), now_(start) {}

HoldLine::~HoldLine() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (!watcher_.joinable()) return;
  // The last ticket may go on the watcher itself, as what it lets go is called.
  if (watcher_.get_id() == std::this_thread::get_id()) {
    watcher_.detach();
  } else {
    watcher_.join();
  }
}

uint64_t HoldLine::NowLocked() const {
  if (clock_ == Clock::kVirtual) return now_;
  return start_ + static_cast<uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now() - began_).count());
}

uint64_t HoldLine::now() const {
  MutexLock lock(mu_);
  return NowLocked();
}

void HoldLine::Enter(HoldTicket& ticket, uint64_t delay) {
  MutexLock lock(mu_);
  ticket.order_ = ++orders_;
  ticket.due_ = NowLocked() + delay;
  if (!ticket.ended_.load(std::memory_order_relaxed)) {
    if (ticket.tag_) {
      hanging_.emplace(std::pair{uint64_t{0}, ticket.order_}, &ticket);
      ticket.state_ = HoldTicket::State::kHanging;
    } else if (delay > 0) {
      timed_.emplace(std::pair{ticket.due_, ticket.order_}, &ticket);
      ticket.state_ = HoldTicket::State::kTimed;
    }
  }
  entered_++;
}

void HoldLine::Leave(HoldTicket& ticket) {
  MutexLock lock(mu_);
  HoldGone none;
  // A request that was never done: nobody is to be called.
  End(ticket, none);
  if (!ticket.back_) entered_--;
}

void HoldLine::End(HoldTicket& ticket, HoldGone& gone) {
  if (ticket.state_ == HoldTicket::State::kTimed) timed_.erase({ticket.due_, ticket.order_});
  if (ticket.state_ == HoldTicket::State::kHanging) hanging_.erase({0, ticket.order_});
  ticket.state_ = HoldTicket::State::kOver;
  changed_.NotifyAll();
  if (ticket.waiting_.empty()) return;
  gone.splice(gone.end(), ticket.waiting_);
  held_--;
}

size_t HoldLine::Release(uint64_t tag, const std::atomic<bool>& ended) {
  HoldGone gone;
  size_t released = 0;
  MutexLock lock(mu_);
  for (auto at = hanging_.begin(); at != hanging_.end();) {
    HoldTicket& ticket = *(at++)->second;
    if (&ticket.ended_ != &ended || *ticket.tag_ != tag) continue;
    released++;
    if (ticket.due_ <= NowLocked()) {
      End(ticket, gone);
      continue;
    }
    auto node = hanging_.extract({0, ticket.order_});
    node.key() = {ticket.due_, ticket.order_};
    timed_.insert(std::move(node));
    ticket.state_ = HoldTicket::State::kTimed;
    changed_.NotifyAll();
  }
  lock.Unlock();
  Call(gone);
  return released;
}

void HoldLine::ReleaseAll(const std::atomic<bool>& ended) {
  HoldGone gone;
  MutexLock lock(mu_);
  for (auto at = timed_.begin(); at != timed_.end();) {
    HoldTicket& ticket = *(at++)->second;
    if (&ticket.ended_ == &ended) End(ticket, gone);
  }
  for (auto at = hanging_.begin(); at != hanging_.end();) {
    HoldTicket& ticket = *(at++)->second;
    if (&ticket.ended_ == &ended) End(ticket, gone);
  }
  lock.Unlock();
  Call(gone);
}

void HoldLine::LetGoCancelled() {
  HoldGone gone;
  MutexLock lock(mu_);
  for (auto at = timed_.begin(); at != timed_.end();) {
    HoldTicket& ticket = *(at++)->second;
    if (ticket.IsCancelled()) EndCancelled(ticket, gone);
  }
  for (auto at = hanging_.begin(); at != hanging_.end();) {
    HoldTicket& ticket = *(at++)->second;
    if (ticket.IsCancelled()) EndCancelled(ticket, gone);
  }
  lock.Unlock();
  Call(gone);
}

void HoldLine::EndCancelled(HoldTicket& ticket, HoldGone& gone) {
  ticket.called_off_.store(true, std::memory_order_release);
  End(ticket, gone);
}

std::optional<uint64_t> HoldLine::NextDue() const {
  MutexLock lock(mu_);
  if (timed_.empty()) return std::nullopt;
  return timed_.begin()->first.first;
}

bool HoldLine::Advance(uint64_t until) {
  HoldGone gone;
  MutexLock lock(mu_);
  const bool due = !timed_.empty() && timed_.begin()->first.first <= until;
  const uint64_t to = due ? timed_.begin()->first.first : until;
  if (now_ < to) now_ = to;
  if (due) End(*timed_.begin()->second, gone);
  lock.Unlock();
  Call(gone);
  return due;
}

bool HoldLine::quiet() const {
  MutexLock lock(mu_);
  return entered_ == held_;
}

size_t HoldLine::waiting() const {
  MutexLock lock(mu_);
  return timed_.size() + hanging_.size();
}

void HoldLine::Watch() {
  MutexLock lock(mu_);
  while (!stopping_) {
    HoldGone gone;
    const uint64_t now = NowLocked();
    uint64_t next = UINT64_MAX;
    for (auto at = timed_.begin(); at != timed_.end();) {
      HoldTicket& ticket = *(at++)->second;
      if (ticket.due_ > now) {
        next = ticket.due_;
        break;
      }
      End(ticket, gone);
    }
    if (!gone.empty()) {
      lock.Unlock();
      Call(gone);
      lock.Lock();
    } else if (next == UINT64_MAX) {
      changed_.Wait(mu_);
    } else {
      changed_.WaitUntil(mu_, std::chrono::steady_clock::now() + std::chrono::nanoseconds(next - now));
    }
  }
}

}  // namespace blk
