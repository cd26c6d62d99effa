// The system calls of io_uring; numbers and shapes are those of the kernel's interface, which never change.
#include "core/host/ring.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>

namespace blk {
namespace {

// The same on every architecture that Node.js runs on.
constexpr long kSetup = 425, kEnter = 426, kRegister = 427;

constexpr uint32_t kSetupClamp = 1u << 4;
constexpr uint32_t kFeatureSingleMmap = 1u << 0;
constexpr uint32_t kFeatureNoDrop = 1u << 1;
constexpr uint32_t kFeatureExtArg = 1u << 8;  // Linux 5.11
constexpr uint32_t kEnterGetEvents = 1u << 0;
constexpr unsigned kRegisterProbe = 8;
constexpr off_t kOffsetRings = 0, kOffsetEntries = 0x10000000;

struct RingOffsets {
  uint32_t head, tail, mask, entries, flags, dropped, array, reserved;
  uint64_t user_address;
};
struct AnswerOffsets {
  uint32_t head, tail, mask, entries, overflow, answers, flags, reserved;
  uint64_t user_address;
};
struct Params {
  uint32_t sq_entries, cq_entries, flags, sq_cpu, sq_idle, features, workers, reserved[3];
  RingOffsets sq;
  AnswerOffsets cq;
};
static_assert(sizeof(Params) == 120);

struct ProbedOpcode {
  uint8_t opcode, reserved;
  uint16_t flags;  // bit 0: known
  uint32_t reserved2;
};
constexpr size_t kProbed = 24;
struct Probe {
  uint8_t last, count;
  uint16_t reserved;
  uint32_t reserved2[3];
  ProbedOpcode opcodes[kProbed];
};

template <typename T>
T* At(void* base, uint32_t offset) {
  return reinterpret_cast<T*>(static_cast<uint8_t*>(base) + offset);
}

template <typename T>
T OrErrno(T rc) {
  return rc < 0 ? static_cast<T>(-errno) : rc;
}

}  // namespace

struct Ring::Entry {
  uint8_t opcode, flags;
  uint16_t priority;
  int32_t fd;
  uint64_t offset;
  uint64_t address;
  uint32_t size;
  uint32_t op_flags;
  uint64_t tag;
  uint64_t unused[3];
};

struct Ring::Completion {
  uint64_t tag;
  int32_t result;
  uint32_t flags;
};

int Ring::Open() {
  static_assert(sizeof(Entry) == 64 && sizeof(Completion) == 16);
  Params params = {};
  params.flags = kSetupClamp;
  fd_ = static_cast<int>(OrErrno(::syscall(kSetup, kEntries, &params)));
  if (fd_ < 0) return fd_;
  constexpr uint32_t kNeeded = kFeatureSingleMmap | kFeatureNoDrop | kFeatureExtArg;
  int rc = (params.features & kNeeded) == kNeeded && params.sq_entries == kEntries ? 0 : -EOPNOTSUPP;
  if (rc == 0) rc = CheckOpcodes();
  if (rc < 0) return Close(), rc;
  const size_t sq_size = params.sq.array + params.sq_entries * sizeof(uint32_t);
  const size_t cq_size = params.cq.answers + params.cq_entries * sizeof(Completion);
  rings_size_ = sq_size > cq_size ? sq_size : cq_size;
  entries_size_ = params.sq_entries * sizeof(Entry);
  rc = Map();
  if (rc < 0) return Close(), rc;
  sq_head_ = At<uint32_t>(rings_, params.sq.head);
  sq_tail_ = At<uint32_t>(rings_, params.sq.tail);
  sq_mask_ = *At<uint32_t>(rings_, params.sq.mask);
  cq_head_ = At<uint32_t>(rings_, params.cq.head);
  cq_tail_ = At<uint32_t>(rings_, params.cq.tail);
  cq_mask_ = *At<uint32_t>(rings_, params.cq.mask);
  entries_ = static_cast<Entry*>(entries_memory_);
  completions_ = At<Completion>(rings_, params.cq.answers);
  // Entry i is always at place i.
  uint32_t* const array = At<uint32_t>(rings_, params.sq.array);
  for (uint32_t i = 0; i < params.sq_entries; i++) array[i] = i;
  return 0;
}

int Ring::Map() {
  const auto map = [&](size_t size, off_t offset, void** memory) {
    void* const mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, offset);
    if (mapped == MAP_FAILED) return -errno;
    *memory = mapped;
    return 0;
  };
  const int rc = map(rings_size_, kOffsetRings, &rings_);
  return rc < 0 ? rc : map(entries_size_, kOffsetEntries, &entries_memory_);
}

int Ring::CheckOpcodes() const {
  Probe probe = {};
  const auto rc = OrErrno(::syscall(kRegister, fd_, kRegisterProbe, &probe, kProbed));
  if (rc < 0) return static_cast<int>(rc);
  for (const Opcode opcode : {Opcode::kPollAdd, Opcode::kRead, Opcode::kWrite}) {
    if ((probe.opcodes[static_cast<size_t>(opcode)].flags & 1) == 0) return -EOPNOTSUPP;
  }
  return 0;
}

void Ring::Close() {
  if (rings_ != nullptr) static_cast<void>(::munmap(rings_, rings_size_));
  if (entries_memory_ != nullptr) static_cast<void>(::munmap(entries_memory_, entries_size_));
  if (fd_ >= 0) static_cast<void>(::close(fd_));  // no file: nothing is written by it
  rings_ = entries_memory_ = nullptr;
  fd_ = -1;
}

// Acquire and release as the kernel does on its side: heads and tails are words that both look at.
unsigned Ring::Waiting() const { return *sq_tail_ - __atomic_load_n(sq_head_, __ATOMIC_ACQUIRE); }

void Ring::Put(Opcode opcode, int fd, void* data, uint32_t size, uint64_t offset, uint64_t tag) {
  const uint32_t tail = *sq_tail_;
  Entry& entry = entries_[tail & sq_mask_];
  std::memset(&entry, 0, sizeof entry);
  entry.opcode = static_cast<uint8_t>(opcode);
  entry.fd = fd;
  entry.tag = tag;
  if (opcode == Opcode::kPollAdd) {
    entry.op_flags = static_cast<uint32_t>(offset);
  } else {
    entry.offset = offset;
    entry.address = reinterpret_cast<uintptr_t>(data);
    entry.size = size;
  }
  __atomic_store_n(sq_tail_, tail + 1, __ATOMIC_RELEASE);
}

int Ring::Enter(unsigned wanted) {
  const uint32_t flags = wanted > 0 ? kEnterGetEvents : 0;
  return static_cast<int>(OrErrno(::syscall(kEnter, fd_, Waiting(), wanted, flags, nullptr, size_t{0})));
}

uint64_t Ring::TakeBack() {
  const uint32_t tail = *sq_tail_ - 1;
  const uint64_t tag = entries_[tail & sq_mask_].tag;
  __atomic_store_n(sq_tail_, tail, __ATOMIC_RELEASE);
  return tag;
}

bool Ring::HasAnswer() const { return __atomic_load_n(cq_tail_, __ATOMIC_ACQUIRE) != *cq_head_; }

Ring::Answer Ring::Take() {
  const uint32_t head = *cq_head_;
  const Completion& completion = completions_[head & cq_mask_];
  const Answer answer{completion.tag, completion.result};
  __atomic_store_n(cq_head_, head + 1, __ATOMIC_RELEASE);
  return answer;
}

}  // namespace blk
