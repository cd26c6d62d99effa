// KeptChanges: a bitmap of what is changed on a medium that the medium itself keeps, over closes and restarts, and that
// everybody who writes to the medium marks. Thread-safe.
#ifndef RUMPBLK_CORE_MEDIUM_KEPT_CHANGES_H_
#define RUMPBLK_CORE_MEDIUM_KEPT_CHANGES_H_

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/change_map.h"
#include "core/base/status.h"

namespace blk {

class KeptChanges {
 public:
  virtual ~KeptChanges() = default;

  // The marks; of all of the medium. Changed through the calls below alone.
  const std::shared_ptr<ChangeMap>& map() const { return map_; }
  // False when marks were lost: all is marked then, until they are cleared or taken.
  virtual bool consistent() const = 0;
  // Whether the medium keeps it no more: changes are not marked from then on.
  virtual bool over() const = 0;

  // As ChangeTracks has them. EBADF: the medium keeps this one no more, because nobody writes to it any more, or the
  // bitmap was removed; nothing has changed.
  // -> whether the marks were consistent. REQUIRES: `to` is like map().
  virtual Result<bool> Take(ChangeMap& to) = 0;
  virtual Status Clear() = 0;
  // Marks what `from` has. Not `consistent`: nor is this one then.   REQUIRES: `from` has the same span.
  virtual Status Merge(const ChangeMap& from, bool consistent) = 0;

 protected:
  explicit KeptChanges(std::shared_ptr<ChangeMap> map) : map_(std::move(map)) {}

 private:
  const std::shared_ptr<ChangeMap> map_;
};

// What a medium tells of a bitmap that it keeps. Plain data.
struct KeptBitmap {
  std::string name;  // bytes, which need not be UTF-8
  unsigned shift = 0;
  bool consistent = false;  // and nothing of it unknown
  bool on = false;          // whether changes are marked in it
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_KEPT_CHANGES_H_
