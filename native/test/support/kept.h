// What tests of bitmaps that images keep have in common.
#ifndef RUMPBLK_TEST_SUPPORT_KEPT_H_
#define RUMPBLK_TEST_SUPPORT_KEPT_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/medium/medium.h"
#include "test/support/check.h"

namespace blk::test {

using Runs = std::vector<std::pair<uint64_t, uint64_t>>;  // from, to

inline Runs RunsOf(const ChangeMap& map) {
  Runs runs;
  for (MediumSpan run = map.NextRun({0}); !run.empty(); run = map.NextRun(run.end)) {
    runs.emplace_back(run.begin.value, run.end.value);
  }
  return runs;
}

inline std::shared_ptr<KeptChanges> Kept(Medium& medium, const std::string& name, std::optional<unsigned> shift = {}) {
  auto kept = medium.KeepChanges(name, shift);
  if (!kept.ok()) FAIL("bitmap " << name << ": errno " << kept.status().err << " " << WhyText(kept.status().why));
  return kept.Take();
}

// Nothing: there is none of that name.
inline std::optional<KeptBitmap> Listed(Medium& medium, const std::string& name) {
  auto list = medium.ListKept();
  REQUIRE(list.ok());
  for (const KeptBitmap& bitmap : list.value()) {
    if (bitmap.name == name) return bitmap;
  }
  return std::nullopt;
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_KEPT_H_
