// Overlay: changes to a base that is only read, as its media and its freeze points see it: what is the same of one that
// ends with the process (overlay_store.h) and of one that lies in an image of its own. Shared by the media of one
// identity (overlay_medium.h). At a freeze point all of it changes at once: requests under way end before, and what
// comes waits. Thread-safe.
#ifndef RUMPBLK_CORE_MEDIUM_OVERLAY_H_
#define RUMPBLK_CORE_MEDIUM_OVERLAY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/medium/channel.h"
#include "core/medium/medium.h"
#include "core/medium/volatile_medium.h"

namespace blk {

class OverlayLayer;

// What an overlay was when it was taken. It lasts as long as somebody has it, whatever becomes of the overlay; of use
// only to that one.
struct OverlaySnapshot {
  std::shared_ptr<OverlayLayer> layer;  // the top one then; null: nothing had changed
  uint64_t base = 0;                    // which content of the base it lies over
};

class Overlay : public VolatileStore {
 public:
  virtual ~Overlay() = default;
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;

  // Whoever made it and each medium of it that is not closed are its users. The last one to leave lets go of the base
  // and of all that the overlay has; objects of closed devices may have the store for long after that.
  // Join(): -> false when the last one has left. Leave(): errors: of the last one, those of letting go.   Thread: any.
  bool Join() {
    uint32_t users = users_.load(std::memory_order_relaxed);
    while (users != 0 && !users_.compare_exchange_weak(users, users + 1, std::memory_order_relaxed)) {
    }
    return users != 0;
  }
  Status Leave() {
    // What the others did comes before their end.
    if (users_.fetch_sub(1, std::memory_order_acq_rel) != 1) return Status::Ok();
    return LetGo();
  }

  // A way to `overlay`, which is this one.   REQUIRES: a user, for whom nobody else leaves meanwhile; so of all below.
  virtual std::unique_ptr<Channel> MakeChannel(const std::shared_ptr<Overlay>& overlay) = 0;

  // The base, and what is below it, as Medium::AddBelow() has them.   REQUIRES: a user, for whom nobody else leaves
  // meanwhile.
  virtual void AddBelow(std::vector<MediumIdentity>& found) = 0;
  // As Medium::Scattered() has it: where the changes lie, if that has a name.
  virtual std::optional<MediumIdentity> Scattered() const { return std::nullopt; }

  // Freeze points.
  // All is the base's again. Errors: those of the image that it lies in.
  virtual Status Reset() = 0;
  // Takes what it is now, and makes it what it was then. Errors: ENOTSUP it has none · those of room for a layer ·
  // ESTALE the base has been committed to, or is another one, since.   REQUIRES: the snapshot is one of this overlay.
  virtual Result<OverlaySnapshot> Snapshot() = 0;
  virtual Status Revert(const OverlaySnapshot& snapshot) = 0;
  // Writes what has changed into the base, makes that durable, and goes on empty. Requests go on meanwhile. Interrupted
  // it leaves the overlay as it was, and some of the base new: again, it writes the same. -> bytes written.
  // Errors: EBUSY somebody else has the base, another overlay say · EACCES, EROFS · ENOSPC what was written lies behind
  // the end of the base, which is untouched · ECANCELED · those of the base.
  virtual Result<uint64_t> Commit(const std::atomic<bool>* cancel) = 0;
  // Lies over all of another base from here on, which an image names by `name`. `safe`: reads as before, and for that
  // keeps what the new base has otherwise; else what was not changed is the new base's.
  // Errors: ELOOP it would lie over itself · EBUSY it might, as what the base lies over changes just now · those of
  // attaching it, of reading both, and of writing; then all is as it was.
  virtual Status Rebase(std::unique_ptr<Medium> base, const std::string& name, bool safe) = 0;

  // What has changed, from `from` on, as kData and kHole; `exact`: only blocks whose bytes are not the base's. Of this
  // moment. Errors: those of the base, and of the image.
  struct Changed {
    size_t count = 0;   // of `found` that were filled in; may be 0 although there is more
    uint64_t next = 0;  // where to go on; the overlay's size: there are no more
  };
  virtual Result<Changed> Diff(uint64_t from, bool exact, std::span<MediumExtent> found) = 0;

 protected:
  // Says of a failure of the base in a commit that it is the base's: the error names the overlay.
  static Status OfBase(Status status) {
    if (!status.ok() && status.err != ECANCELED && status.why == Why::kNone) status.why = Why::kOverlayWritesBase;
    return status;
  }

  Overlay(uint64_t bytes, std::string called, uint64_t sector) : VolatileStore(bytes, std::move(called), sector) {}

 private:
  // Called once. Errors: those of the image that it lies in; it has let go all the same.
  virtual Status LetGo() = 0;

  std::atomic<uint32_t> users_{1};
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_OVERLAY_H_
