// LongTransfer: a read, write or strategy that is longer than a part, on its way through the I/O queue part by part, so
// that it takes little memory however long it is. Of a read from the disk several parts are under way at once, and one
// is copied into the caller's view while the next ones come in; one from memory has a part only for the event loop to
// get its turn, behind which it is read on in place. A write goes in order, as what follows a failure must not be
// written, and so do the pieces of a raw request. JavaScript thread only, but for Part::Work().
#ifndef RUMPBLK_ADDON_LONG_TRANSFER_H_
#define RUMPBLK_ADDON_LONG_TRANSFER_H_

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "addon/caller_view.h"
#include "addon/device_state.h"
#include "addon/run_now.h"
#include "core/base/aligned_buffer.h"
#include "core/request/physio.h"
#include "core/request/started_request.h"

namespace blk_addon {

// Kept by its parts.
class LongTransfer final : public Cancellable, public TurnWaiter, public std::enable_shared_from_this<LongTransfer> {
 public:
  // Begins what is left of `request`, which was admitted to `entry` and whose data points into `view` at `view_offset`
  // bytes; `now`: what is known of it. Otherwise as TransferCall::Submit(). -> a promise of the outcome.
  static napi_value Submit(napi_env env, const std::shared_ptr<DeviceState>& device, const blk::Request& request,
                           blk::Strategy& entry, Now now, napi_value view, size_t view_offset, uint64_t token);

  // Reads on where no disk is needed.
  int Turn() override;

  // Parts that have not begun are not run, those that run end after their current segment; it settles when none runs.
  void Cancel(napi_env env) override;

 private:
  class Part;
  // What a part that has run leaves behind.
  struct Ran {
    blk::AlignedBuffer memory;
    size_t size = 0;   // bytes that it was to move
    size_t moved = 0;  // bytes
    blk::Status status;
    bool injected = false;
    int64_t failed_blkno = 0;
  };
  // A part under way, in order.
  struct Slot {
    Part* part = nullptr;    // until it has returned
    std::optional<Ran> ran;  // it has, and waits for those before it
    bool back = false;       // it was taken back, and does not run
  };

  LongTransfer(napi_env env, std::shared_ptr<DeviceState> device, const blk::Request& request, blk::Strategy& entry,
               napi_value view, size_t view_offset, uint64_t token);

  // Goes on with what is left, of which `now` is known: in a later turn of the event loop when that is all it needs,
  // else by parts.
  void GoOn(Now now);
  // Puts parts into the queue, as many as may be under way at once: one in any case, others while nobody waits.
  void PutParts();
  void PutPart();
  // Takes in what parts have moved, in order, and goes on. -> whether that has settled the promise.
  bool Returned(Part& part, Ran ran);
  // Of the oldest part: delivers what it has read, and takes over its outcome.
  void TakeIn(const Ran& ran);
  void GiveMemory(Ran& ran) { under_way_->driver->driver.request_memory().Give(std::move(ran.memory), ran.size); }
  // Ends it with this status, which may be ok: no further part begins.
  void Stop(blk::Status status);
  // Settles if it is over and no part runs any more. -> whether it did.
  bool SettleIfOver();

  const napi_env env_;
  DeviceCall under_way_;
  Completion& completion_;
  blk::Request request_;  // `moved`: what has been taken in
  blk::Strategy& entry_;
  CallerView view_;
  napi_deferred deferred_ = nullptr;
  std::atomic<bool> cancel_{false};
  const size_t start_;      // where the first part begins
  size_t begun_;            // where the next one does
  std::deque<Slot> slots_;  // oldest first
  bool over_ = false;       // no part begins any more
  bool settled_ = false;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_LONG_TRANSFER_H_
