#include "core/medium/late_medium.h"

#include <algorithm>

#include "core/base/no_memory.h"
#include "core/medium/start_and_wait.h"

namespace blk {
namespace {

class LateChannel final : public Channel {
 public:
  LateChannel(std::unique_ptr<Channel> under, std::shared_ptr<LateAnswers> answers)
      : under_(std::move(under)), answers_(std::move(answers)) {}

  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) override {
    if (rules.nowait) return {0, {EAGAIN, Op::kPread}};
    return StartAndWait(*this, {StartedMove::Kind::kRead, at, data, size, rules});
  }
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) override {
    // Only read from, as it is a write.
    return StartAndWait(*this, {StartedMove::Kind::kWrite, at, const_cast<void*>(data), size, rules});
  }
  Status Sync() override { return SyncAndWait(*this); }
  Moved Discard(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    return StartAndWait(*this, {StartedMove::Kind::kDiscard, at, nullptr, static_cast<size_t>(size), rules});
  }
  Moved Zero(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    return StartAndWait(*this, {StartedMove::Kind::kZero, at, nullptr, static_cast<size_t>(size), rules});
  }
  void Prefetch(MediumOffset at, uint64_t size) noexcept override { under_->Prefetch(at, size); }
  bool starts(StartedMove::Kind) const override { return true; }
  void Start(StartedMove& move) override { answers_->Put(*under_, move); }
  MediumFeatures Features() override { return under_->Features(); }
  bool durable_writes() const override { return under_->durable_writes(); }
  Status CheckReaches(MediumOffset end) override { return under_->CheckReaches(end); }
  MediumSpan NextData(MediumSpan within) override { return under_->NextData(within); }
  Result<size_t> Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                         const PieceRules& rules) override {
    return under_->Extents(within, layer, found, rules);
  }

 private:
  const std::unique_ptr<Channel> under_;
  const std::shared_ptr<LateAnswers> answers_;
};

// splitmix64.
uint64_t Next(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

LateAnswers::LateAnswers(std::chrono::microseconds most, uint64_t seed, bool held)
    : most_(most), random_(seed), held_(held), thread_([this] { Answer(); }) {}

LateAnswers::~LateAnswers() {
  {
    MutexLock lock(mu_);
    ended_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void LateAnswers::Put(Channel& channel, StartedMove& move) {
  MutexLock lock(mu_);
  const auto delay = std::chrono::microseconds(Next(random_) % (static_cast<uint64_t>(most_.count()) + 1));
  const bool noted = HadMemory([&]() REQUIRES(mu_) { late_.emplace(Clock::now() + delay, Late{&channel, &move}); });
  if (!noted) {
    lock.Unlock();
    move.finish(move, {0, {ENOMEM, Op::kStrategy}});
    return;
  }
  peak_ = std::max(peak_, ++under_way_);
  changed_.NotifyAll();
}

void LateAnswers::SetHeld(bool held) {
  MutexLock lock(mu_);
  held_ = held;
  changed_.NotifyAll();
}

size_t LateAnswers::under_way() const {
  MutexLock lock(mu_);
  return under_way_;
}

size_t LateAnswers::peak() const {
  MutexLock lock(mu_);
  return peak_;
}

std::multimap<LateAnswers::Clock::time_point, LateAnswers::Late>::iterator LateAnswers::AwaitDue() {
  for (;;) {
    if (ended_) return late_.begin();
    if (held_ || late_.empty()) {
      changed_.Wait(mu_);
    } else if (late_.begin()->first <= Clock::now()) {
      return late_.begin();
    } else {
      changed_.WaitUntil(mu_, late_.begin()->first);
    }
  }
}

void LateAnswers::Answer() {
  MutexLock lock(mu_);
  for (;;) {
    const auto due = AwaitDue();
    if (due == late_.end()) return;
    const auto [channel, move] = due->second;
    late_.erase(due);
    lock.Unlock();
    const Moved moved = channel->Do(*move);
    lock.Lock();
    // Before it is finished: who hears of the last one finds none under way.
    under_way_--;
    lock.Unlock();
    move->finish(*move, moved);
    lock.Lock();
  }
}

Result<std::unique_ptr<Channel>> LateMedium::Attach(const Attachment& wanted) {
  auto under = under_->Attach(wanted);
  if (!under.ok()) return under.status();
  std::unique_ptr<Channel> channel;
  if (HadMemory([&] { channel = std::make_unique<LateChannel>(under.Take(), answers_); })) return channel;
  // The failure is that there is no memory; what the end of an open says that was never used concerns nobody.
  static_cast<void>(under_->Detach(wanted));
  return Status{ENOMEM, Op::kOpen};
}

}  // namespace blk
