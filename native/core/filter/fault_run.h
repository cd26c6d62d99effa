// FaultRun: a fault plan in force: its counters and states, what it has found bad, and the log of what it injected.
// Everything is decided as requests are admitted, in the order of the calls, so that the same requests in the same
// order meet the same faults whatever the I/O workers do. Thread-safe. Lock order: mu_ is a leaf.
// Counts: of each rule, what the rest of its match takes; of each minor and operation, all pieces that are seen, by
// which events are told apart; of each rule, minor and operation, what draws are keyed by, so that the requests of one
// device do not move the draws of another.
#ifndef RUMPBLK_CORE_FILTER_FAULT_RUN_H_
#define RUMPBLK_CORE_FILTER_FAULT_RUN_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/base/sync.h"
#include "core/filter/fault_decision.h"
#include "core/filter/fault_plan.h"

namespace blk {

// A piece that is about to be, or an open or a map.
struct FaultSubject {
  FaultOp op = FaultOp::kRead;
  int minor = 0;
  uint64_t position = 0;  // bytes from the start of the device
  uint64_t size = 0;      // bytes
  bool runs = true;       // false: mode or bounds refuse it; the seed's generator draws all the same
  uint64_t device_size = 0;
  const void* disk = nullptr;  // whose medium it is on
  uint64_t begin = 0;          // of the device in that
};

// What is decided of it.
struct FaultVerdict {
  Status stop;  // it fails with this instead of being run
  std::optional<FaultEffect> effect;
  uint64_t delay = 0;           // ns; its completion is held so long
  std::optional<uint64_t> tag;  // or until this is released
  uint32_t injected = 0;        // events that are faults
  uint32_t logged = 0;          // events
  FaultKind kind{};             // of the first of those that are faults
};

class FaultRun {
 public:
  // Of a plan that lib has checked, whose times are those of `line`.
  explicit FaultRun(FaultPlan plan,
                    std::shared_ptr<HoldLine> line = std::make_shared<HoldLine>(HoldLine::Clock::kReal));

  // Tells it from the other runs of its driver: FaultPlans gives it, before anybody else sees the run.
  uint64_t number() const { return number_; }
  void SetNumber(uint64_t number) { number_ = number; }
  // Whether a flush may fail and lose something: what is not flushed has to be known then.
  bool loses() const { return loses_; }
  // Whether it may not hit a piece of these bytes.
  bool Allows(uint64_t position, uint64_t size) const;

  // Decides on a piece, and logs what it is to meet.
  FaultVerdict Decide(const FaultSubject& subject) EXCLUDES(mu_);

  const std::shared_ptr<HoldLine>& line() const { return line_; }
  // Whether every request has a ticket: a virtual clock waits for those that are under way.
  bool has_virtual_clock() const { return virtual_; }
  // -> a ticket for a request.
  std::unique_ptr<HoldTicket> Ticket(uint64_t delay, std::optional<uint64_t> tag) {
    return std::make_unique<HoldTicket>(line_, delay, tag, ended_);
  }
  // -> requests that were let go.
  size_t Release(uint64_t tag) { return line_->Release(tag, ended_); }
  // It is not in force any more: nothing is held by it from here on.
  void End() {
    ended_.store(true);
    line_->ReleaseAll(ended_);
  }

  // A copy of the events from the i-th on.
  std::vector<FaultEvent> Log(size_t from) const EXCLUDES(mu_);

 private:
  struct RuleState {
    uint64_t taken = 0;  // pieces that the rest of the match took
    uint64_t hit = 0;
    uint64_t budget = 0;
    uint32_t generator = 0;  // where the seed's stream is
    std::map<std::pair<int, FaultOp>, uint64_t> draws;
  };

  bool Takes(const FaultRule& rule, const FaultSubject& subject) const REQUIRES(mu_);
  // Indices of the rules that may take a piece of that number, ascending.
  const std::vector<uint32_t>& RulesFor(uint64_t n) REQUIRES(mu_);
  // Whether the rule hits what it takes; counts it. `*key`: its draw.
  bool Hits(size_t i, const FaultSubject& subject, uint64_t* key) REQUIRES(mu_);
  // Fills in what a rule that hits does. -> false when it does nothing to this piece.
  bool Act(size_t i, const FaultSubject& subject, uint64_t key, uint64_t now, FaultEvent* event, FaultVerdict* verdict)
      REQUIRES(mu_);
  bool ActInTime(const FaultRule& rule, uint64_t key, uint64_t now, FaultEvent* event, FaultVerdict* verdict)
      REQUIRES(mu_);
  bool Tear(const FaultRule& rule, uint64_t key, FaultEvent* event, FaultEffect* effect) const;
  bool Corrupt(size_t i, const FaultSubject& subject, FaultEvent* event, FaultEffect* effect) const;
  // A read that meets what is bad. -> the rule that says so.
  std::optional<uint32_t> BadBy(const FaultSubject& subject) const REQUIRES(mu_);
  void Heal(const FaultSubject& subject) REQUIRES(mu_);

  const FaultPlan plan_;
  // Rules about any number, and those about one: a plan made of a log has one for each event.
  std::vector<uint32_t> any_number_;
  std::unordered_map<uint64_t, std::vector<uint32_t>> by_number_;
  uint64_t number_ = 0;
  bool loses_ = false;
  const std::shared_ptr<HoldLine> line_;
  const bool virtual_;
  const uint64_t began_;  // on the clock
  std::atomic<bool> ended_{false};

  mutable Mutex mu_;
  uint32_t state_ GUARDED_BY(mu_) = 0;
  std::vector<RuleState> rules_ GUARDED_BY(mu_);
  std::vector<uint32_t> candidates_ GUARDED_BY(mu_);  // RulesFor()'s answer
  std::map<std::pair<int, FaultOp>, uint64_t> seen_ GUARDED_BY(mu_);
  // By disk and sector of its medium: the rule that made it bad.
  std::map<std::pair<const void*, uint64_t>, uint32_t> bad_ GUARDED_BY(mu_);
  std::vector<FaultEvent> log_ GUARDED_BY(mu_);
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_FAULT_RUN_H_
