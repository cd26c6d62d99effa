// Base: what a medium held when a recording of it began: read from the medium, but for blocks that were about to be
// changed since, of which a copy was kept. Thread-safe. Lock order: mu_ before what a read of the medium takes, and
// before the store's.
#ifndef RUMPBLK_LAB_BASE_H_
#define RUMPBLK_LAB_BASE_H_

#include <array>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/sync.h"
#include "core/medium/medium.h"
#include "lab/data_store.h"

namespace blk::lab {

class Base {
 public:
  // Over `medium`, which is this object's alone and is attached to read. Errors: those of Medium::Attach().
  static Result<std::unique_ptr<Base>> Open(std::unique_ptr<Medium> medium, MediumSpan range);
  ~Base();
  Base(const Base&) = delete;
  Base& operator=(const Base&) = delete;

  // Keeps what lies in [at, at + size), which is about to be changed. Errors: the medium's · the store's.
  Status Preserve(uint64_t at, uint64_t size, DataStore& store) EXCLUDES(mu_);
  // What was there; zeros behind the end. Errors: the medium's.
  Status Read(uint64_t at, void* data, size_t size) EXCLUDES(mu_);

 private:
  static constexpr size_t kBlock = 4096;
  static constexpr size_t kBlocks = 512;  // of a leaf
  static constexpr size_t kRun = 32;      // blocks that are read at once
  // By block: null, not changed; else a copy of it.
  using Leaf = std::array<const uint8_t*, kBlocks>;

  Base(std::unique_ptr<Medium> medium, const Attachment& attachment, std::unique_ptr<Channel> channel)
      : medium_(std::move(medium)), attachment_(attachment), channel_(std::move(channel)), room_(kRun * kBlock) {}

  const uint8_t* CopyOf(uint64_t block) const REQUIRES(mu_);
  // As Read(), of what the medium has now.
  Status ReadNow(uint64_t at, uint8_t* data, size_t size) const;

  const std::unique_ptr<Medium> medium_;
  const Attachment attachment_;
  std::unique_ptr<Channel> channel_;
  Mutex mu_;
  std::unordered_map<uint64_t, std::unique_ptr<Leaf>> leaves_ GUARDED_BY(mu_);
  std::vector<uint8_t> room_ GUARDED_BY(mu_);
  // The one that was looked at last.
  uint64_t last_number_ GUARDED_BY(mu_) = UINT64_MAX;
  Leaf* last_ GUARDED_BY(mu_) = nullptr;
};

}  // namespace blk::lab

#endif  // RUMPBLK_LAB_BASE_H_
