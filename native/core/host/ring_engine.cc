#include "core/host/ring_engine.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/base/start_thread.h"
#include "core/host/transfer_loop.h"

namespace blk {
namespace {

constexpr uint64_t kWakeTag = 0;  // no transfer lies at address 0

uint64_t TagOf(HostTransfer& transfer) { return reinterpret_cast<uintptr_t>(&transfer); }
HostTransfer& TransferOf(uint64_t tag) { return *reinterpret_cast<HostTransfer*>(static_cast<uintptr_t>(tag)); }

}  // namespace

bool RingEngine::Ready() {
  // Acquire, with the release below: the ring is there.
  const State state = state_.load(std::memory_order_acquire);
  if (state != State::kUntried) return state == State::kReady;
  MutexLock lock(mu_);
  if (state_.load(std::memory_order_relaxed) == State::kUntried) {
    const bool open = !ended_ && OpenLocked();
    state_.store(open ? State::kReady : State::kNone, std::memory_order_release);
  }
  return state_.load(std::memory_order_relaxed) == State::kReady;
}

bool RingEngine::OpenLocked() {
  if (ring_.Open() < 0) return false;
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ >= 0) return true;
  ring_.Close();
  return false;
}

bool RingEngine::Put(HostLine& line, HostTransfer& transfer) {
  MutexLock lock(mu_);
  if (ended_ || state_.load(std::memory_order_relaxed) != State::kReady) return false;
  if (!thread_.joinable() && !StartThread(thread_, [this] { Run(); })) {
    state_.store(State::kNone, std::memory_order_release);
    return false;
  }
  const bool first = line.empty();
  line.PushBack(transfer);
  if (first) {
    line.next = last_ == nullptr ? &line : std::exchange(last_->next, &line);
    last_ = &line;
  }
  Wake();
  return true;
}

void RingEngine::Wake() {
  if (!std::exchange(asleep_, false)) return;
  const uint64_t one = 1;
  // It has room for more than anybody writes. Under the lock: it is not closed meanwhile.
  static_cast<void>(!::write(wake_fd_, &one, sizeof one));
}

void RingEngine::Stop() {
  std::thread thread;
  {
    MutexLock lock(mu_);
    ended_ = true;
    state_.store(State::kNone, std::memory_order_release);
    Wake();
    thread.swap(thread_);
  }
  if (thread.joinable()) thread.join();
  MutexLock lock(mu_);
  ring_.Close();
  if (wake_fd_ >= 0) static_cast<void>(::close(std::exchange(wake_fd_, -1)));
}

void RingEngine::Run() {
  Progress progress;
  for (;;) {
    progress.under_way += PutEntries(kMost - progress.under_way);
    Enter(progress);
    TakeAnswers(progress);
    MutexLock lock(mu_);
    if (ended_ && last_ == nullptr && progress.under_way == 0) return;
  }
}

HostTransfer& RingEngine::TakeTurn() {
  HostLine& line = *last_->next;
  HostTransfer& transfer = line.PopFront();
  if (!line.empty()) {
    last_ = &line;
    return transfer;
  }
  HostLine* const after = std::exchange(line.next, nullptr);
  if (last_ == &line) {
    last_ = nullptr;
  } else {
    last_->next = after;
  }
  return transfer;
}

size_t RingEngine::PutEntries(size_t room) {
  size_t put = 0;
  MutexLock lock(mu_);
  for (; put < room && last_ != nullptr; put++) {
    HostTransfer& transfer = TakeTurn();
    const auto opcode = transfer.kind == HostTransfer::Kind::kRead ? Ring::Opcode::kRead : Ring::Opcode::kWrite;
    ring_.Put(opcode, transfer.fd, transfer.data, static_cast<uint32_t>(transfer.size), transfer.offset,
              TagOf(transfer));
  }
  return put;
}

bool RingEngine::FallAsleep(const Progress& progress) {
  MutexLock lock(mu_);
  if (last_ != nullptr && progress.under_way < kMost) return false;
  if (ended_ && progress.under_way == 0) return false;
  // While the ring is full its answers wake the thread, and nobody else needs to.
  asleep_ = last_ == nullptr;
  return true;
}

void RingEngine::AwakeAgain() {
  MutexLock lock(mu_);
  asleep_ = false;
}

void RingEngine::Enter(Progress& progress) {
  // Behind a call that was not taken nothing is waited for by such a call, until one is taken again.
  const bool by_poll = progress.refusals > 0;
  const bool sleeps = !ring_.HasAnswer() && FallAsleep(progress);
  const bool in_call = sleeps && !by_poll;
  if (in_call && !progress.armed) {
    ring_.Put(Ring::Opcode::kPollAdd, wake_fd_, nullptr, 0, POLLIN, kWakeTag);
    progress.armed = true;
  }
  bool interrupted = false;
  if (in_call || ring_.Waiting() > 0) {
    const int rc = ring_.Enter(in_call ? 1 : 0);
    if (rc >= 0) progress.refusals = progress.interruptions = 0;
    interrupted = rc == -EINTR && progress.interruptions++ < kMostInterruptions;
    if (rc < 0 && !interrupted) Refused(progress);
  }
  // Not with entries that were to be taken.
  if (sleeps && by_poll && !interrupted) WaitByPoll();
  if (sleeps) AwakeAgain();
}

void RingEngine::Refused(Progress& progress) {
  progress.refusals++;
  progress.interruptions = 0;
  while (ring_.Waiting() > 0) {
    const uint64_t tag = ring_.TakeBack();
    if (tag == kWakeTag) {
      progress.armed = false;
      continue;
    }
    progress.under_way--;
    HostTransfer& transfer = TransferOf(tag);
    transfer.done(transfer, -ECANCELED);
  }
  if (progress.refusals < kMostRefusals) return;
  {
    MutexLock lock(mu_);
    state_.store(State::kNone, std::memory_order_release);
  }
  DropLines();
}

void RingEngine::DropLines() {
  for (;;) {
    MutexLock lock(mu_);
    if (last_ == nullptr) return;
    HostTransfer& transfer = TakeTurn();
    lock.Unlock();
    transfer.done(transfer, -ECANCELED);
  }
}

void RingEngine::WaitByPoll() {
  pollfd both[] = {{ring_.fd(), POLLIN, 0}, {wake_fd_, POLLIN, 0}};
  // Interrupted or not: what there is to do is looked for afterwards.
  static_cast<void>(::poll(both, 2, -1));
  EmptyWakeFd();
}

void RingEngine::TakeAnswers(Progress& progress) {
  while (ring_.HasAnswer()) {
    const Ring::Answer answer = ring_.Take();
    if (answer.tag == kWakeTag) {
      progress.armed = false;
      EmptyWakeFd();
      continue;
    }
    progress.under_way--;
    HostTransfer& transfer = TransferOf(answer.tag);
    transfer.done(transfer, answer.result);
  }
}

void RingEngine::EmptyWakeFd() const {
  uint64_t count = 0;
  // Nothing in it is an error that says so.
  static_cast<void>(!::read(wake_fd_, &count, sizeof count));
}

}  // namespace blk
