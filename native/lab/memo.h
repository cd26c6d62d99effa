// Memo: verdicts of checks, by what they read: after the same reads with the same answers a check that is deterministic
// goes on in the same way. A tree: each node is the atom that is read next, its branches what that may hold. One for
// each number of marks, which a check may look at too. Used by one thread at a time.
#ifndef RUMPBLK_LAB_MEMO_H_
#define RUMPBLK_LAB_MEMO_H_

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "lab/state.h"

namespace blk::lab {

class Memo {
 public:
  // The verdict of an earlier check that would have read the same of this choice.
  std::optional<int64_t> Find(const Choice& choice) const;
  // -> false: it went on in another way than an earlier one that had read the same.
  bool Add(const State& state, int64_t verdict);

 private:
  struct Node {
    std::optional<int64_t> verdict;  // of a check that reads no more
    uint32_t atom = UINT32_MAX;
    std::map<uint64_t, std::unique_ptr<Node>> by_content;
  };

  // By marks, and the model that numbers of atoms are of.
  std::map<std::pair<const Model*, size_t>, Node> roots_;
  std::vector<std::shared_ptr<const Model>> models_;
};

}  // namespace blk::lab

#endif  // RUMPBLK_LAB_MEMO_H_
