// IsLegal: whether a content may be left by a crash at a cut; DifferOf: where two recordings stop being the same. No
// state; any thread.
#ifndef RUMPBLK_LAB_LEGAL_H_
#define RUMPBLK_LAB_LEGAL_H_

#include <optional>
#include <span>
#include <vector>

#include "lab/model.h"

namespace blk::lab {

// `images`: one of each device, whole. Errors: EINVAL another number, or sizes · the medium's.
Result<bool> IsLegal(const Model& model, const std::vector<std::span<const uint8_t>>& images, uint64_t cut);

// Index of the first event before `cut` by which the two have different digests.
std::optional<size_t> DifferOf(const Model& a, const Model& b, uint64_t cut);

}  // namespace blk::lab

#endif  // RUMPBLK_LAB_LEGAL_H_
