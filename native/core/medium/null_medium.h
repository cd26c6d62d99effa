// NullMedium: a disk without bytes: reads give zeros, writes vanish. Shows what the layer above costs by itself.
#ifndef RUMPBLK_CORE_MEDIUM_NULL_MEDIUM_H_
#define RUMPBLK_CORE_MEDIUM_NULL_MEDIUM_H_

#include <memory>
#include <utility>

#include "core/medium/volatile_medium.h"

namespace blk {

class NullMedium final : public VolatileMedium {
 public:
  explicit NullMedium(std::shared_ptr<VolatileStore> store)
      : VolatileMedium(MediumKind::kNull, store), store_(std::move(store)) {}

  Result<std::unique_ptr<Medium>> Again() override {
    return std::unique_ptr<Medium>(std::make_unique<NullMedium>(store_));
  }

 private:
  std::unique_ptr<Channel> MakeChannel() override;

  const std::shared_ptr<VolatileStore> store_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_NULL_MEDIUM_H_
