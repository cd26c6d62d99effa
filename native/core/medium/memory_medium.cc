#include "core/medium/memory_medium.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "core/host/copy.h"
#include "core/host/host_io.h"
#include "core/host/transfer_loop.h"

namespace blk {
namespace {

class MemoryChannel final : public Channel {
 public:
  explicit MemoryChannel(std::shared_ptr<MemoryMedium::Store> store) : store_(std::move(store)) {}

  // Nothing here waits: `nowait` is always kept.
  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) override {
    return Copy(Op::kPread, at, size, rules, [&](size_t done, size_t n, uint8_t* bytes) {
      CopyBytes(static_cast<uint8_t*>(data) + done, bytes, n);
    });
  }
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) override {
    const Moved moved = Copy(Op::kPwrite, at, size, rules, [&](size_t done, size_t n, uint8_t* bytes) {
      CopyBytes(bytes, static_cast<const uint8_t*>(data) + done, n);
    });
    // Behind the bytes: pages that are freed meanwhile are unmarked first, so that none with data is left unmarked.
    store_->pages.Mark(at.value, moved.bytes);
    return moved;
  }
  Status Sync() override { return Status::Ok(); }
  MediumFeatures Features() override { return {true, true, true, false, PageSize(), 1}; }
  // A granule is a page of the host.
  Moved Discard(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    if (IsCancelled(rules.cancel)) return {0, {ECANCELED, Op::kDiscard}};
    static_cast<void>(FreePages(at.value, at.value + size));
    return {static_cast<size_t>(size), Status::Ok()};
  }
  Moved Zero(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    if (IsCancelled(rules.cancel)) return {0, {ECANCELED, Op::kZero}};
    const MediumSpan freed = rules.keep_room ? MediumSpan{} : FreePages(at.value, at.value + size);
    if (freed.empty()) return Channel::Zero(at, size, rules);
    uint8_t* const data = store_->memory.data();
    std::memset(data + at.value, 0, static_cast<size_t>(freed.begin.value - at.value));
    std::memset(data + freed.end.value, 0, static_cast<size_t>(at.value + size - freed.end.value));
    return {static_cast<size_t>(size), Status::Ok()};
  }
  Result<size_t> Extents(MediumSpan within, ExtentLayer, std::span<MediumExtent> found,
                         const PieceRules& rules) override {
    size_t count = 0;
    while (!within.empty() && count < found.size()) {
      if (IsCancelled(rules.cancel)) return Status{ECANCELED, Op::kExtents};
      const MediumOffset end{store_->pages.EndOfRun(within.begin.value, within.end.value)};
      const ExtentType type = store_->pages.Marked(within.begin.value) ? ExtentType::kData : ExtentType::kHole;
      found[count++] = {within.begin, end.value - within.begin.value, type};
      within.begin = end;
    }
    return count;
  }

 private:
  // Makes the whole pages in [begin, end) zeros that cost nothing. -> those; empty when there are none.
  MediumSpan FreePages(uint64_t begin, uint64_t end) const {
    const MediumSpan pages{{AlignUp(begin, PageSize())}, {AlignDown(end, PageSize())}};
    if (pages.begin.value >= pages.end.value) return {};
    const auto offset = static_cast<size_t>(pages.begin.value);
    const auto size = static_cast<size_t>(pages.end.value) - offset;
    store_->pages.Unmark(offset, pages.end.value);
    if (store_->memory.Free(offset, size)) return pages;
    // They are as they were, of a process whose memory is locked.
    store_->pages.Mark(offset, size);
    return {};
  }
  template <typename CopyFn>
  Moved Copy(Op op, MediumOffset at, size_t size, const PieceRules& rules, CopyFn&& copy) {
    const uint64_t end = store_->size;
    const uint64_t rest = at.value < end ? end - at.value : 0;
    const Moved moved = MoveAll(op, static_cast<size_t>(std::min<uint64_t>(size, rest)), rules.cancel,
                                [&](size_t done, size_t n) -> int64_t {
                                  copy(done, n, store_->memory.data() + at.value + done);
                                  return static_cast<int64_t>(n);
                                });
    if (moved.status.ok() && moved.bytes < size) return {moved.bytes, {EIO, op}};
    return moved;
  }

  const std::shared_ptr<MemoryMedium::Store> store_;
};

}  // namespace

Result<std::shared_ptr<MemoryMedium::Store>> MemoryMedium::CreateStore(uint64_t size, std::string name,
                                                                       uint64_t sector_size) {
  if (size > std::numeric_limits<size_t>::max()) return Status{ENOMEM, Op::kMap};
  auto memory = AnonymousMemory::Create(static_cast<size_t>(size));
  if (!memory.ok()) return memory.status();
  std::shared_ptr<Store> store;
  if (!HadMemory([&] { store = std::make_shared<Store>(memory.Take(), std::move(name), sector_size); })) {
    return Status{ENOMEM, Op::kMap};
  }
  return store;
}

std::unique_ptr<Channel> MemoryMedium::MakeChannel() { return std::make_unique<MemoryChannel>(bytes_); }

}  // namespace blk
