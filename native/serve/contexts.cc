#include "serve/contexts.h"

#include "core/nbd/wire.h"

namespace blk::serve {

void ContextQueries::Add(std::string_view query) {
  constexpr std::string_view kBitmap = nbd::kBitmapContext;
  if (query == nbd::kAllocationContext || (lists_ && query == "base:")) allocation_ = true;
  if (lists_ && (query == "qemu:" || query == kBitmap)) return AddBitmaps();
  if (query.substr(0, kBitmap.size()) != kBitmap) return;
  query.remove_prefix(kBitmap.size());
  for (size_t i = 0; i < names_.size(); i++) {
    if (names_[i] == query) chosen_[i] = true;
  }
}

void ContextQueries::AddAll() {
  allocation_ = true;
  AddBitmaps();
}

Contexts ContextQueries::Take() const {
  Contexts contexts;
  contexts.allocation = allocation_;
  for (size_t i = 0; i < chosen_.size(); i++) {
    if (chosen_[i]) contexts.bitmaps.push_back(i);
  }
  return contexts;
}

}  // namespace blk::serve
