// FaultPlan: which requests of a driver meet which faults: rules, as lib has checked them. Plain data.
#ifndef RUMPBLK_CORE_FILTER_FAULT_PLAN_H_
#define RUMPBLK_CORE_FILTER_FAULT_PLAN_H_

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace blk {

// What a rule may be about. The numbers are those of FAULT_OPS in lib/faults/rules.ts, as are those of FaultKind.
enum class FaultOp : uint8_t { kRead, kWrite, kFlush, kDiscard, kZero, kOpen, kMap, kCount };

enum class FaultKind : uint8_t {
  kErrno,            // a: errno, b: 1 keeps what a flush would have covered
  kDelay,            // a: mean, b: least, c: most, in ns; d: 0 fixed, 1 exponential, 2 uniform
  kHang,             // a: number of the tag
  kStall,            // a: length of a period, b: of the episode at its end, in ns
  kShort,            // a: bytes that move
  kTear,             // a: FaultTear; b: 1 + sectors that a prefix or a suffix keeps, 0: drawn
  kCorrupt,          // a: FaultDamage; b: bits, or of a misdirected piece 1 + sector that it goes to, 0: drawn
  kDrop,             // the write is answered and does not happen
  kIgnoreFlush,      // the same of a flush
  kBudget,           // a: bytes that may be written; then ENOSPC
  kBadUntilWritten,  // the sectors cannot be read until they are written
  kEnter,            // a: number of the state
  kGenerator,        // a: rate of the seed's generator
};
// As traces have it: 0 is no fault.
constexpr uint8_t ShownAs(FaultKind kind) { return static_cast<uint8_t>(static_cast<uint8_t>(kind) + 1); }
enum class FaultTear : uint8_t { kPrefix, kSuffix, kSubset };
enum class FaultDamage : uint8_t { kFlip, kStuck, kMisdirect };

// Sectors [begin, end) of a device.
struct SectorSpan {
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct FaultRule {
  // What it takes: pieces of these operations (bit i: FaultOp i), of this minor, that meet one of these spans, while
  // the plan is in this state. Empty spans: all.
  uint32_t ops = 0;
  std::optional<int> minor;
  std::vector<SectorSpan> sectors;
  std::optional<uint32_t> state;
  std::optional<uint64_t> n;  // the one of this number, as FaultEvent::n counts
  // Which of those it hits: the draw falls below `probability`, and of those that it takes every n-th, behind the first
  // `after`; `times` of them.
  double probability = 1;
  uint64_t every = 1;
  uint64_t after = 0;
  uint64_t times = UINT64_MAX;

  FaultKind kind = FaultKind::kErrno;
  uint64_t a = 0, b = 0, c = 0, d = 0;
  // Instead of a draw.
  std::optional<uint64_t> key;
};

struct FaultPlan {
  uint64_t seed = 0;
  std::vector<FaultRule> rules;
  std::vector<SectorSpan> allow;  // a piece that meets one is not hit, and not taken
};

// Something that was injected.
struct FaultEvent {
  uint64_t n = 0;  // pieces of this minor and operation that the plan has seen by then: 1 is the first
  uint32_t rule = 0;
  FaultOp op = FaultOp::kRead;
  int minor = 0;
  uint64_t blkno = 0;   // first sector
  uint64_t bcount = 0;  // bytes; 0 of an open or a flush
  // What it does: kind of the rule; a, as the rule has it, or as it has come out: ns of a delay or a stall, bytes of a
  // budget that were left.
  FaultKind kind = FaultKind::kErrno;
  uint64_t a = 0, b = 0;
  uint64_t key = 0;  // the draw
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_FAULT_PLAN_H_
