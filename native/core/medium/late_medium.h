// LateMedium: a medium that answers later: over any other one, from a thread of its own, each move after a delay of
// its own, so that answers come out of order. For tests of whatever stands above a channel that starts, and for trials
// of what a slow disk with many requests under way does to a program. Thread-safe.
#ifndef RUMPBLK_CORE_MEDIUM_LATE_MEDIUM_H_
#define RUMPBLK_CORE_MEDIUM_LATE_MEDIUM_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "core/base/sync.h"
#include "core/medium/medium.h"

namespace blk {

// LateAnswers: the moves that are under way, and the thread that answers them. Shared by the media of one identity.
// Lock order: mu_ is a leaf; moves happen and are finished without it.
class LateAnswers {
 public:
  // Delays are spread evenly over [0, most], by `seed`. `held`: as after Hold().
  // Throws what std::thread does when no thread can be had.
  LateAnswers(std::chrono::microseconds most, uint64_t seed, bool held = false);
  // Answers at once what is still under way.
  ~LateAnswers();
  LateAnswers(const LateAnswers&) = delete;
  LateAnswers& operator=(const LateAnswers&) = delete;

  // Does `move` on `channel` after its delay, and finishes it. ENOMEM, at once, where there is no memory to note it.
  void Put(Channel& channel, StartedMove& move) EXCLUDES(mu_);

  // From here on nothing is answered, until Release().
  void Hold() EXCLUDES(mu_) { SetHeld(true); }
  void Release() EXCLUDES(mu_) { SetHeld(false); }

  // Moves under way now, and the most that ever were.
  size_t under_way() const EXCLUDES(mu_);
  size_t peak() const EXCLUDES(mu_);

 private:
  using Clock = std::chrono::steady_clock;
  struct Late {
    Channel* channel;
    StartedMove* move;
  };

  void SetHeld(bool held) EXCLUDES(mu_);
  // What the thread does from its start to the end.
  void Answer() EXCLUDES(mu_);
  // Waits for the next move that is due. -> none: the end has come, and nothing is left.
  std::multimap<Clock::time_point, Late>::iterator AwaitDue() REQUIRES(mu_);

  const std::chrono::microseconds most_;
  mutable Mutex mu_;
  CondVar changed_;
  std::multimap<Clock::time_point, Late> late_ GUARDED_BY(mu_);  // by when they are due
  uint64_t random_ GUARDED_BY(mu_);
  size_t under_way_ GUARDED_BY(mu_) = 0;  // those in late_, and one that is being answered
  size_t peak_ GUARDED_BY(mu_) = 0;
  bool held_ GUARDED_BY(mu_);
  bool ended_ GUARDED_BY(mu_) = false;
  std::thread thread_;  // last: it uses the others
};

class LateMedium final : public Medium {
 public:
  LateMedium(std::unique_ptr<Medium> under, std::shared_ptr<LateAnswers> answers)
      : under_(std::move(under)), answers_(std::move(answers)) {}

  const std::string& name() const override { return under_->name(); }
  MediumIdentity identity() const override { return under_->identity(); }
  std::optional<uint64_t> size() const override { return under_->size(); }
  uint64_t sector_size() const override { return under_->sector_size(); }
  Result<uint64_t> SizeNow() override { return under_->SizeNow(); }
  Status Read(MediumOffset at, void* data, size_t size) override { return under_->Read(at, data, size); }
  Result<std::unique_ptr<Channel>> Attach(const Attachment& wanted) override;
  Status Detach(const Attachment& wanted) override { return under_->Detach(wanted); }
  int Holder(const Attachment& wanted) override { return under_->Holder(wanted); }
  void AddBelow(std::vector<MediumIdentity>& found) override { under_->AddBelow(found); }
  std::optional<MediumIdentity> Scattered() const override { return under_->Scattered(); }
  Result<std::unique_ptr<Medium>> Again() override {
    auto under = under_->Again();
    if (!under.ok()) return under;
    return std::unique_ptr<Medium>(std::make_unique<LateMedium>(under.Take(), answers_));
  }
  Status Close() override { return under_->Close(); }

 private:
  const std::unique_ptr<Medium> under_;
  const std::shared_ptr<LateAnswers> answers_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_LATE_MEDIUM_H_
