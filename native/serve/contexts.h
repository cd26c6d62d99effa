// Contexts: what block status can tell of an export, and what of it a client has chosen: base:allocation, and QEMU's
// context of each dirty bitmap. Plain data.
#ifndef RUMPBLK_SERVE_CONTEXTS_H_
#define RUMPBLK_SERVE_CONTEXTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace blk::serve {

// The numbers that block status calls contexts by: base:allocation, and the first of the bitmaps.
inline constexpr uint32_t kAllocationId = 1;
inline constexpr uint32_t kFirstBitmapId = 2;

struct Contexts {
  bool allocation = false;
  std::vector<size_t> bitmaps;  // places among those of the export, in order

  size_t count() const { return bitmaps.size() + (allocation ? 1 : 0); }
};

// What the queries of an option mean, one by one, for an export with bitmaps of these names, which outlive this object.
class ContextQueries {
 public:
  // `lists`: it asks what there is, so that a query may stand for several.
  ContextQueries(std::span<const std::string> bitmaps, bool lists)
      : names_(bitmaps), lists_(lists), chosen_(bitmaps.size()) {}

  void Add(std::string_view query);
  // As of an option that lists, and has no query.
  void AddAll();
  Contexts Take() const;

 private:
  void AddBitmaps() { chosen_.assign(names_.size(), true); }

  const std::span<const std::string> names_;
  const bool lists_;
  bool allocation_ = false;
  std::vector<bool> chosen_;
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_CONTEXTS_H_
