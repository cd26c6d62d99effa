// FakeHost: a HostIo in front of the real one. It fails, interrupts or shortens chosen calls, plays a device node or
// O_DIRECT where there is none, writes a journal, and keeps the books of descriptors and mappings, which tell leaks.
// Over 300 lines: one method for each of HostIo.
// Thread-safe, but for the setters of hooks and disguises: those are called before any thread starts.
#ifndef RUMPBLK_TEST_SUPPORT_FAKE_HOST_H_
#define RUMPBLK_TEST_SUPPORT_FAKE_HOST_H_

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/host/host_io.h"
#include "test/support/call_plans.h"
#include "test/support/fake_clock.h"

namespace blk::test {

class FakeHost final : public FakeClock {
 public:
  explicit FakeHost(HostIo& real = PosixHostIo()) : real_(real) {}

  // ---- plans: what goes wrong

  // Lets `pass` more calls of the kind through (of any kind: nullopt), then fails `times` of them with `err`.
  // A failed Close or Munmap is carried out all the same, as Linux does: only its answer is bad. kHalfway: see there.
  void Fail(std::optional<Call> kind, int err, uint64_t pass = 0, uint64_t times = 1) {
    std::lock_guard lock(mu_);
    plans_.Add({kind, err, pass, times});
  }
  void FailAlways(Call kind, int err) { Fail(kind, err, 0, UINT64_MAX); }
  void Heal() {
    std::lock_guard lock(mu_);
    plans_.Clear();
    longest_ = SIZE_MAX;
  }
  // No read or write moves more than `bytes` at once; 0 makes them answer 0.
  void Shorten(size_t bytes) {
    std::lock_guard lock(mu_);
    longest_ = bytes;
  }

  // ---- hooks and disguises; set before threads start

  // Runs before each call, without any lock of the fake; may block.
  std::function<void(const CallRecord&)> before;
  // Regular files look like nodes of this type, of this size, read-only or not.
  struct Node {
    FileType type = FileType::kBlock;
    int64_t size = 0;
    int read_only = 0;
  };
  std::optional<Node> node;
  // O_DIRECT opens succeed, without the flag, and ask for this alignment.
  std::optional<DirectAlignment> direct;
  bool pretend_syncs = false;       // syncs answer 0 without a disk; durable writes are plain ones
  std::optional<uint64_t> granule;  // what is freed at once
  std::optional<bool> fills_holes;  // as tmpfs does, wherever the file lies
  // What is not known to be in memory is not asked for.
  bool tells_residency = true;

  // ---- books

  uint64_t calls(Call kind) const {
    std::lock_guard lock(mu_);
    return calls_[static_cast<size_t>(kind)];
  }
  uint64_t calls() const {
    std::lock_guard lock(mu_);
    return std::accumulate(calls_.begin(), calls_.end(), uint64_t{0});
  }
  size_t open_descriptors() const {
    std::lock_guard lock(mu_);
    return descriptors_.size();
  }
  size_t mappings() const {
    std::lock_guard lock(mu_);
    return mappings_.size();
  }
  // Descriptors closed, used or mapped that were not open; memory unmapped that was not mapped so.
  uint64_t misuses() const {
    std::lock_guard lock(mu_);
    return misuses_;
  }
  std::vector<CallRecord> Journal(std::optional<Call> kind = std::nullopt) const {
    std::lock_guard lock(mu_);
    std::vector<CallRecord> picked;
    for (const CallRecord& record : journal_) {
      if (!kind || record.call == *kind) picked.push_back(record);
    }
    return picked;
  }
  void ClearJournal() {
    std::lock_guard lock(mu_);
    journal_.clear();
  }
  // For programs that make millions of calls.
  void KeepNoJournal() {
    std::lock_guard lock(mu_);
    keep_journal_ = false;
  }

  // ---- HostIo

  int Open(const std::string& path, OpenFlags flags) override {
    return static_cast<int>(
        Opened(MakeRecord(Call::kOpen, -1, 0, 0, flags), [&] { return real_.Open(path, Real(flags)); }));
  }
  int Reopen(int fd, const std::string& path, OpenFlags flags) override {
    return static_cast<int>(
        Opened(MakeRecord(Call::kReopen, fd, 0, 0, flags), [&] { return real_.Reopen(fd, path, Real(flags)); }));
  }
  int OpenUnnamed(const std::string& folder) override {
    return static_cast<int>(Opened(MakeRecord(Call::kOpenUnnamed, -1), [&] { return real_.OpenUnnamed(folder); }));
  }
  int Resize(int fd, uint64_t size) override {
    return Simple(MakeRecord(Call::kResize, fd, 0, size), [&] { return real_.Resize(fd, size); });
  }
  int Close(int fd) override {
    CallRecord record = MakeRecord(Call::kClose, fd);
    const int planned = Begin(record);
    {
      std::lock_guard lock(mu_);
      misuses_ += descriptors_.erase(fd) == 0;
    }
    const int rc = real_.Close(fd);
    return static_cast<int>(End(record, planned != 0 ? planned : rc));
  }
  int Stat(int fd, FileInfo* info) override {
    return Simple(MakeRecord(Call::kStat, fd), [&] { return Disguised(real_.Stat(fd, info), info); });
  }
  int StatPath(const std::string& path, FileInfo* info) override {
    return Simple(MakeRecord(Call::kStatPath, -1), [&] { return Disguised(real_.StatPath(path, info), info); });
  }
  int64_t NodeSize(int fd, FileType type) override {
    CallRecord record = MakeRecord(Call::kNodeSize, fd);
    const int planned = Begin(record);
    if (planned != 0) return End(record, planned);
    return End(record, node ? node->size : real_.NodeSize(fd, type));
  }
  int NodeReadOnly(int fd) override {
    return Simple(MakeRecord(Call::kNodeReadOnly, fd), [&] { return node ? node->read_only : real_.NodeReadOnly(fd); });
  }
  int AlignmentForDirect(int fd, DirectAlignment* alignment) override {
    return Simple(MakeRecord(Call::kAlignment, fd), [&] {
      if (direct) *alignment = *direct;
      return direct ? 0 : real_.AlignmentForDirect(fd, alignment);
    });
  }
  int64_t Pread(int fd, void* data, size_t size, uint64_t offset) override {
    return Request(MakeRecord(Call::kPread, fd, offset, size), data,
                   [&](size_t n) { return real_.Pread(fd, data, n, offset); });
  }
  int64_t Pwrite(int fd, const void* data, size_t size, uint64_t offset) override {
    return Request(MakeRecord(Call::kPwrite, fd, offset, size), data,
                   [&](size_t n) { return real_.Pwrite(fd, data, n, offset); });
  }
  int64_t PwriteDurable(int fd, const void* data, size_t size, uint64_t offset) override {
    return Request(MakeRecord(Call::kPwriteDurable, fd, offset, size), data, [&](size_t n) {
      return pretend_syncs ? real_.Pwrite(fd, data, n, offset) : real_.PwriteDurable(fd, data, n, offset);
    });
  }
  int64_t PreadNowait(int fd, void* data, size_t size, uint64_t offset) override {
    return Request(MakeRecord(Call::kPreadNowait, fd, offset, size), data,
                   [&](size_t n) { return real_.PreadNowait(fd, data, n, offset); });
  }
  int HasContent(int fd) override {
    return Simple(MakeRecord(Call::kHasContent, fd), [&] { return real_.HasContent(fd); });
  }
  int64_t SeekData(int fd, uint64_t offset) override {
    return Simple<int64_t>(MakeRecord(Call::kSeekData, fd, offset), [&] { return real_.SeekData(fd, offset); });
  }
  int64_t SeekHole(int fd, uint64_t offset) override {
    return Simple<int64_t>(MakeRecord(Call::kSeekHole, fd, offset), [&] { return real_.SeekHole(fd, offset); });
  }
  int Fdatasync(int fd) override {
    return Simple(MakeRecord(Call::kFdatasync, fd), [&] { return pretend_syncs ? 0 : real_.Fdatasync(fd); });
  }
  int WillNeed(int fd, uint64_t offset, uint64_t size) override {
    return Simple(MakeRecord(Call::kWillNeed, fd, offset, size), [&] { return real_.WillNeed(fd, offset, size); });
  }
  int Allocate(int fd, uint64_t offset, uint64_t size) override {
    return Simple(MakeRecord(Call::kAllocate, fd, offset, size), [&] { return real_.Allocate(fd, offset, size); });
  }
  int PunchHole(int fd, uint64_t offset, uint64_t size) override {
    return Simple(MakeRecord(Call::kPunchHole, fd, offset, size), [&] { return real_.PunchHole(fd, offset, size); });
  }
  int64_t CopyRange(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t size) override {
    return Simple(MakeRecord(Call::kCopyRange, to, to_offset, size),
                  [&] { return real_.CopyRange(from, from_offset, to, to_offset, size); });
  }
  int CloneRange(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t size) override {
    return Simple(MakeRecord(Call::kCloneRange, to, to_offset, size),
                  [&] { return real_.CloneRange(from, from_offset, to, to_offset, size); });
  }
  int ZeroRange(int fd, uint64_t offset, uint64_t size) override {
    return Simple(MakeRecord(Call::kZeroRange, fd, offset, size), [&] { return real_.ZeroRange(fd, offset, size); });
  }
  int NodeDiscard(int fd, uint64_t offset, uint64_t size) override {
    return Simple(MakeRecord(Call::kNodeDiscard, fd, offset, size),
                  [&] { return real_.NodeDiscard(fd, offset, size); });
  }
  int NodeZero(int fd, uint64_t offset, uint64_t size) override {
    return Simple(MakeRecord(Call::kNodeZero, fd, offset, size), [&] { return real_.NodeZero(fd, offset, size); });
  }
  // Cannot fail: 0 is an answer.
  uint64_t Granule(int fd) override { return granule ? *granule : real_.Granule(fd); }
  int Mmap(int fd, uint64_t offset, size_t size, MapMode mode, void** address) override {
    CallRecord record = MakeRecord(Call::kMmap, fd, offset, size);
    record.mode = mode;
    const int planned = Begin(record);
    if (planned != 0) return static_cast<int>(End(record, planned));
    const int rc = real_.Mmap(fd, offset, size, mode, address);
    if (rc == 0) {
      record.address = *address;
      std::lock_guard lock(mu_);
      misuses_ += !mappings_.emplace(*address, size).second;
    }
    return static_cast<int>(End(record, rc));
  }
  int Munmap(void* address, size_t size) override {
    CallRecord record = MakeMemoryRecord(Call::kMunmap, address, size);
    const int planned = Begin(record);
    {
      // Off the books before it is off the address space: another thread may be given the same address at once.
      std::lock_guard lock(mu_);
      const auto found = mappings_.find(address);
      if (found == mappings_.end() || found->second != size) {
        misuses_++;
      } else {
        mappings_.erase(found);
      }
    }
    const int rc = real_.Munmap(address, size);
    return static_cast<int>(End(record, planned != 0 ? planned : rc));
  }
  int Msync(void* address, size_t size) override {
    return Simple(MakeMemoryRecord(Call::kMsync, address, size),
                  [&] { return pretend_syncs ? 0 : real_.Msync(address, size); });
  }
  int Advise(void* address, size_t size, Advice advice) override {
    CallRecord record = MakeMemoryRecord(Call::kAdvise, address, size);
    record.advice = advice;
    return Simple(record, [&] { return real_.Advise(address, size, advice); });
  }
  HostFeatures Features(int fd) override { return real_.Features(fd); }
  bool FillsHoles(int fd) override { return fills_holes.value_or(real_.FillsHoles(fd)); }
  bool TellsResidency(int fd) override { return tells_residency && real_.TellsResidency(fd); }
  int Mincore(void* address, size_t size, unsigned char* residency) override {
    return Simple(MakeRecord(Call::kMincore, -1, 0, size), [&] { return real_.Mincore(address, size, residency); });
  }
  int Lock(int fd, LockKind kind, uint64_t offset, uint64_t size) override {
    return Simple(MakeLockRecord(Call::kLock, fd, kind, offset, size),
                  [&] { return real_.Lock(fd, kind, offset, size); });
  }
  int TestLock(int fd, LockKind kind, uint64_t offset, uint64_t size, HeldLock* held) override {
    return Simple(MakeLockRecord(Call::kTestLock, fd, kind, offset, size),
                  [&] { return real_.TestLock(fd, kind, offset, size, held); });
  }
  // Not a call of the storm: its failure is to know nothing.
  int LockHolder(int fd, LockKind kind, uint64_t offset, uint64_t size, const std::vector<int>& own) override {
    std::lock_guard lock(mu_);
    misuses_ += descriptors_.count(fd) == 0;
    return real_.LockHolder(fd, kind, offset, size, own);
  }

 private:
  OpenFlags Real(OpenFlags flags) const {
    if (direct) flags.direct = false;
    if (node) flags.exclusive = false;  // means nothing for the regular file that plays the node
    return flags;
  }
  int Disguised(int rc, FileInfo* info) const {
    if (rc == 0 && node && info->type == FileType::kRegular) {
      info->type = node->type;
      info->size = 0;
    }
    return rc;
  }

  // Runs the hook, counts, and asks the plans. -> 0, or the negative errno that the call answers.
  int Begin(const CallRecord& record) {
    if (before) before(record);
    std::lock_guard lock(mu_);
    calls_[static_cast<size_t>(record.call)]++;
    if (record.fd >= 0) misuses_ += record.call != Call::kClose && descriptors_.count(record.fd) == 0;
    const int planned = plans_.Ask(record.call);
    return planned == kHalfway && !MovesBytes(record.call) ? 0 : -planned;
  }
  int64_t End(CallRecord& record, int64_t result) {
    std::lock_guard lock(mu_);
    record.result = result;
    if (keep_journal_) journal_.push_back(record);
    return result;
  }
  template <typename Result = int, typename Fn>
  Result Simple(CallRecord record, Fn&& fn) {
    const int planned = Begin(record);
    return static_cast<Result>(End(record, planned != 0 ? planned : fn()));
  }
  template <typename Fn>
  int64_t Opened(CallRecord record, Fn&& fn) {
    const int planned = Begin(record);
    const int fd = planned != 0 ? planned : fn();
    if (fd >= 0) {
      std::lock_guard lock(mu_);
      misuses_ += !descriptors_.insert(fd).second;
    }
    return End(record, fd);
  }
  template <typename Fn>
  int64_t Request(CallRecord record, const void* data, Fn&& fn) {
    record.address = data;
    const int planned = Begin(record);
    if (planned != 0 && planned != -kHalfway) return End(record, planned);
    size_t size = std::min<size_t>(static_cast<size_t>(record.size), Longest());
    if (planned != 0) size = (size + 1) / 2;
    return End(record, size == 0 && record.size > 0 ? 0 : fn(size));
  }
  size_t Longest() const {
    std::lock_guard lock(mu_);
    return longest_;
  }

  HostIo& real_;
  mutable std::mutex mu_;
  CallPlans plans_;
  size_t longest_ = SIZE_MAX;
  std::array<uint64_t, static_cast<size_t>(Call::kCount)> calls_{};
  std::set<int> descriptors_;
  std::map<const void*, size_t> mappings_;
  uint64_t misuses_ = 0;
  bool keep_journal_ = true;
  std::vector<CallRecord> journal_;
};

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_FAKE_HOST_H_
