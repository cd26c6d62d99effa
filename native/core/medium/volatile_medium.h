// VolatileMedium: what media that are nothing but an object of this process have in common, also where that keeps its
// bytes in an image: a size, a name, and locks among those that were made of the same one. Copies of what is shared are
// media of the same identity: registered twice it is one minor. Thread-safe.
#ifndef RUMPBLK_CORE_MEDIUM_VOLATILE_MEDIUM_H_
#define RUMPBLK_CORE_MEDIUM_VOLATILE_MEDIUM_H_

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/no_memory.h"
#include "core/base/sync.h"
#include "core/medium/medium.h"

namespace blk {

// Who has which range of one medium. Not for threads that wait: a range that somebody has is EBUSY.
class RangeHolds {
 public:
  // Errors: EBUSY another owner has some of it, and one of the two writes · ENOMEM.
  Status Add(const void* owner, MediumSpan range, bool writes) EXCLUDES(mu_);
  // Whether Add() of the same would answer EBUSY.
  bool Taken(const void* owner, MediumSpan range, bool writes) EXCLUDES(mu_);
  // REQUIRES: Add() of the same was ok.
  void Remove(const void* owner, MediumSpan range, bool writes) EXCLUDES(mu_);

 private:
  struct Hold {
    const void* owner;
    MediumSpan range;
    bool writes;
  };

  bool InTheWay(const void* owner, MediumSpan range, bool writes) const REQUIRES(mu_);

  Mutex mu_;
  std::vector<Hold> holds_ GUARDED_BY(mu_);
};

// What every medium of one identity shares. Its address is the identity.
struct VolatileStore {
  VolatileStore(uint64_t bytes, std::string called, uint64_t sector)
      : size(bytes), name(std::move(called)), sector_size(sector) {}

  const uint64_t size;
  const std::string name;
  const uint64_t sector_size;
  RangeHolds holds;
  const std::shared_ptr<ChangeTracks> tracks = std::make_shared<ChangeTracks>();
};

inline MediumIdentity IdentityOf(MediumKind kind, const VolatileStore& store) {
  return {kind, reinterpret_cast<uintptr_t>(&store), 0};
}

class VolatileMedium : public Medium {
 public:
  const std::string& name() const final { return store_->name; }
  MediumIdentity identity() const final { return IdentityOf(kind_, *store_); }
  std::optional<uint64_t> size() const final { return store_->size; }
  uint64_t sector_size() const final { return store_->sector_size; }
  Status Read(MediumOffset at, void* data, size_t size) final;
  Result<std::unique_ptr<Channel>> Attach(const Attachment& wanted) final;
  Status Detach(const Attachment& wanted) final;
  // This process or none: nobody else has such a medium.
  int Holder(const Attachment& wanted) final;

 protected:
  // `store` is not null.
  VolatileMedium(MediumKind kind, std::shared_ptr<VolatileStore> store)
      : Medium(store->tracks), kind_(kind), store_(std::move(store)) {}

 private:
  virtual std::unique_ptr<Channel> MakeChannel() = 0;

  const MediumKind kind_;
  const std::shared_ptr<VolatileStore> store_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_VOLATILE_MEDIUM_H_
