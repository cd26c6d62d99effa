// FaultDecision: what a fault plan has decided for one request: effects on its pieces, by where they lie, and how long
// its completion is held. Does not change once the request is admitted.
#ifndef RUMPBLK_CORE_FILTER_FAULT_DECISION_H_
#define RUMPBLK_CORE_FILTER_FAULT_DECISION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/status.h"
#include "core/filter/fault_plan.h"
#include "core/request/decision.h"
#include "core/workers/hold_line.h"

namespace blk {

class FaultRun;

// What becomes of bytes [begin, end) of the device, one piece of a request.
struct FaultEffect {
  uint64_t begin = 0;
  uint64_t end = 0;
  FaultKind kind = FaultKind::kErrno;
  Status status;      // kErrno of a flush; kBudget: behind the bytes that are left
  uint64_t a = 0;     // kShort, kBudget: end of what moves; kTear: FaultTear; kCorrupt: FaultDamage
  uint64_t b = 0;     // kTear: the sector at which it is torn; kCorrupt: bits, or where a misdirected one begins
  bool keep = false;  // kErrno of a flush
  uint64_t key = 0;
};

class FaultDecision final : public Decision {
 public:
  explicit FaultDecision(std::shared_ptr<FaultRun> of) : run(std::move(of)) {}

  // That on the piece, or the part of one, that begins there; null where it is as ever.
  const FaultEffect* On(uint64_t position) const {
    for (const FaultEffect& effect : effects) {
      if (position >= effect.begin && (position < effect.end || effect.begin == effect.end)) return &effect;
    }
    return nullptr;
  }

  HoldTicket* hold() const override { return ticket.get(); }
  uint8_t shown() const override { return kind ? ShownAs(*kind) : uint8_t{0}; }

  const std::shared_ptr<FaultRun> run;
  std::vector<FaultEffect> effects;  // in order
  std::unique_ptr<HoldTicket> ticket;
  std::optional<FaultKind> kind;  // of the first fault that it has met
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_FAULT_DECISION_H_
