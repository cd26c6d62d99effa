// What FakeHost is made of: the kinds of HostIo calls, a line of its journal, and the plans of what goes wrong.
#ifndef RUMPBLK_TEST_SUPPORT_CALL_PLANS_H_
#define RUMPBLK_TEST_SUPPORT_CALL_PLANS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/host/host_io.h"

namespace blk::test {

enum class Call : uint8_t {
  kOpen,
  kReopen,
  kOpenUnnamed,
  kResize,
  kClose,
  kStat,
  kStatPath,
  kNodeSize,
  kNodeReadOnly,
  kAlignment,
  kPread,
  kPwrite,
  kPwriteDurable,
  kPreadNowait,
  kFdatasync,
  kWillNeed,
  kAllocate,
  kMmap,
  kMunmap,
  kMsync,
  kAdvise,
  kMincore,
  kLock,
  kTestLock,
  kHasContent,
  kSeekData,
  kSeekHole,
  kPunchHole,
  kZeroRange,
  kNodeDiscard,
  kNodeZero,
  kCopyRange,
  kCloneRange,
  kCount
};

inline const char* CallName(Call call) {
  static constexpr std::array<const char*, static_cast<size_t>(Call::kCount)> kNames = {
      "Open",      "Reopen",       "OpenUnnamed",        "Resize",     "Close",     "Stat",          "StatPath",
      "NodeSize",  "NodeReadOnly", "AlignmentForDirect", "Pread",      "Pwrite",    "PwriteDurable", "PreadNowait",
      "Fdatasync", "WillNeed",     "Allocate",           "Mmap",       "Munmap",    "Msync",         "Advise",
      "Mincore",   "Lock",         "TestLock",           "HasContent", "SeekData",  "SeekHole",      "PunchHole",
      "ZeroRange", "NodeDiscard",  "NodeZero",           "CopyRange",  "CloneRange"};
  return kNames[static_cast<size_t>(call)];
}

// One line of the journal. `result` is what the caller of HostIo saw.
struct CallRecord {
  Call call = Call::kCount;
  int fd = -1;
  const void* address = nullptr;  // memory of Mmap (its result), Munmap, Msync, Advise, and of transfers
  uint64_t offset = 0;
  uint64_t size = 0;
  OpenFlags flags;
  LockKind lock = LockKind::kNone;
  MapMode mode = MapMode::kRead;
  Advice advice = Advice::kNormal;
  int64_t result = 0;
};

inline CallRecord MakeRecord(Call call, int fd, uint64_t offset = 0, uint64_t size = 0, OpenFlags flags = {}) {
  CallRecord record;
  record.call = call;
  record.fd = fd;
  record.offset = offset;
  record.size = size;
  record.flags = flags;
  return record;
}

// Of a lock, and of memory.
inline CallRecord MakeLockRecord(Call call, int fd, LockKind kind, uint64_t offset, uint64_t size) {
  CallRecord record = MakeRecord(call, fd, offset, size);
  record.lock = kind;
  return record;
}
inline CallRecord MakeMemoryRecord(Call call, const void* address, uint64_t size) {
  CallRecord record = MakeRecord(call, -1, 0, size);
  record.address = address;
  return record;
}

// In the place of an errno: a read or write moves half of what it is asked for. Other calls do as they are told.
inline constexpr int kHalfway = 100'000;

inline bool MovesBytes(Call call) {
  return call == Call::kPread || call == Call::kPwrite || call == Call::kPwriteDurable || call == Call::kPreadNowait;
}

// Which calls fail. Plain data; FakeHost locks.
class CallPlans {
 public:
  struct Plan {
    std::optional<Call> kind;  // nullopt: any
    int err = 0;
    uint64_t pass = 0;   // calls that go through first
    uint64_t times = 0;  // calls that fail then
  };
  void Add(const Plan& plan) { plans_.push_back(plan); }
  void Clear() { plans_.clear(); }
  // The errno with which this call fails, or 0.
  int Ask(Call call) {
    for (Plan& plan : plans_) {
      if (plan.times == 0 || (plan.kind && *plan.kind != call)) continue;
      if (plan.pass > 0) {
        plan.pass--;
        continue;
      }
      plan.times--;
      return plan.err;
    }
    return 0;
  }

 private:
  std::vector<Plan> plans_;
};

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_CALL_PLANS_H_
