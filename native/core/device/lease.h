// Lease: bytes of a device lent to its caller as memory. On an 'r+' device they are those of a window, or of a mapping
// of its own: stores reach the file and are dirty until a flush that starts after the release. On an 'r' device they
// are a private mapping: stores stay in it. A lease watches its own pages, so that what happens elsewhere in its window
// is not taken for its own loss. Move-only in the hands of one owner; release on any thread. The device outlives its
// leases.
#ifndef RUMPBLK_CORE_DEVICE_LEASE_H_
#define RUMPBLK_CORE_DEVICE_LEASE_H_

#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "core/base/change_tracks.h"
#include "core/device/lease_pins.h"
#include "core/host/mapping.h"
#include "core/medium/medium_windows.h"
#include "core/request/flush_state.h"
#include "core/request/request_log.h"
#include "core/window/window.h"

namespace blk {

class Lease final : public StoreSource {
 public:
  using Memory = std::variant<WindowRef, Mapping>;

  // What a lease on an 'r+' device has to do with others: where its stores are told of, and the pin of its window. A
  // private lease has none of it: its stores reach nobody.
  struct Shared {
    FlushState* flush;
    LeasePin pin;
    ChangeTracks* tracks;  // as `flush`
  };

  // Lends [at, at + size), which lies in `memory`; a Mapping begins at the page of `at`. Dirty from here on, if shared.
  // On the heap, since FlushState knows it by its address.
  // Errors: ENOMEM no watch could be had.   REQUIRES: size is not 0.
  static Result<std::unique_ptr<Lease>> Create(Memory memory, MediumOffset at, size_t size, MediumWindows& medium,
                                               std::optional<Shared> shared);
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  // Ends it, if Release() has not: stores that are lost then stick to the minor as EIO.
  ~Lease();

  // The memory, null after the release. Whoever has it may read, and store, on any thread.
  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  // False when a page of its window was substituted before the lease began: its bytes may be none of the file's, and it
  // is of no use.
  bool sound() const { return sound_; }

  // Tells the logs of its disk that there may be stores, and when there are none any more.
  // Errors: those of DiskLog::Lend().   REQUIRES: nobody has it yet.
  Status Record(const DiskLog& log, bool unsafe);

  // What of it the host could not give: what was read there were zeros, what was stored is lost. Page by page, and all
  // between the first such page and the last. Stays after the release.
  MediumSpan Lost() const override;

  // Gives the bytes back. Idempotent: later calls are ok. REQUIRES: nothing touches them any more, and the device is
  // not closed.
  // Errors: WhyLost() of what is lost, which later flushes answer too · munmap's.   Thread: any; it may ask the host.
  Status Release();

 private:
  Lease(Memory memory, MediumOffset at, size_t size, MediumWindows& medium, PageWatch watch,
        std::optional<Shared> shared);

  // Ends it. `why`: what the host says of the loss, if there is one. -> that, or munmap's error.
  Status End(Status why);

  uint8_t* data_;
  const size_t size_;
  const MediumOffset at_;
  // To ask why something is lost. Valid while the device is open.
  MediumWindows& medium_;
  bool sound_ = true;
  MediumSpan lost_;  // when it ended
  // Empty once it has ended.
  std::optional<Memory> memory_;
  PageWatch watch_;  // after memory_, so that it ends before the memory goes
  // Empty for a private lease, and once it has ended.
  std::optional<Shared> shared_;
  ChangeTracks::Stores stores_;  // where that is not empty
  LentStores lent_;
  std::shared_ptr<const DiskLog::Logs> logs_;  // who has heard of lent_
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_LEASE_H_
