#include "lab/memo.h"

#include <algorithm>

namespace blk::lab {

std::optional<int64_t> Memo::Find(const Choice& choice) const {
  const Model* const model = choice.cut().model.get();
  const auto root = roots_.find({model, choice.cut().marks});
  if (root == roots_.end()) return std::nullopt;
  for (const Node* node = &root->second;;) {
    if (node->atom == UINT32_MAX) return node->verdict;
    const auto next = node->by_content.find(choice.ContentOf(model->atoms()[node->atom]));
    if (next == node->by_content.end()) return std::nullopt;
    node = next->second.get();
  }
}

bool Memo::Add(const State& state, int64_t verdict) {
  const Cut& cut = state.choice().cut();
  // Kept, so that no other one has its address.
  if (std::find(models_.begin(), models_.end(), cut.model) == models_.end()) models_.push_back(cut.model);
  Node* node = &roots_[{cut.model.get(), cut.marks}];
  for (const State::Read& read : state.reads()) {
    if (node->verdict) return false;
    if (node->atom == UINT32_MAX) node->atom = read.atom;
    if (node->atom != read.atom) return false;
    auto& next = node->by_content[read.content];
    if (next == nullptr) next = std::make_unique<Node>();
    node = next.get();
  }
  if (node->atom != UINT32_MAX || (node->verdict && *node->verdict != verdict)) return false;
  node->verdict = verdict;
  return true;
}

}  // namespace blk::lab
