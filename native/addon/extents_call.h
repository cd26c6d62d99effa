// ExtentsCall: the listing of extents on its way through the I/O queue, as one task. JavaScript thread only, but for
// Work() and cancel_.
#ifndef RUMPBLK_ADDON_EXTENTS_CALL_H_
#define RUMPBLK_ADDON_EXTENTS_CALL_H_

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "addon/device_state.h"
#include "addon/pending_call.h"

namespace blk_addon {

// What is asked for: bytes of the device.
struct ExtentsWanted {
  uint64_t position = 0;
  uint64_t length = 0;
  blk::ExtentLayer layer = blk::ExtentLayer::kAll;
};

// Of one call. More would keep a host that answers slowly busy for long without a look at the caller.
inline constexpr size_t kMostExtents = 1024;

// What was listed: five numbers an extent, as lib/native/binding.ts has them, in one array: a thousand extents would be
// a thousand objects. Or the failure.
napi_value ListExtents(napi_env env, blk::Device& device, const ExtentsWanted& wanted, blk::Lane lane);

class ExtentsCall final : public PendingCall, public Cancellable {
 public:
  // `token` 0: cannot be cancelled. -> a promise of what ListExtents() answers.
  // Failures: those of Device::Extents() · those of Completion::Submit().   REQUIRES: the device is open.
  static napi_value Submit(napi_env env, const std::shared_ptr<DeviceState>& device, const ExtentsWanted& wanted,
                           uint64_t token);

  bool Prepare(blk::AlignedBuffer) override { return !taken_back(); }
  // Ends it at once while it waits or is queued, at the next extent when it runs.
  void Cancel(napi_env env) override;

 private:
  ExtentsCall(napi_env env, std::shared_ptr<DeviceState> device, const ExtentsWanted& wanted, uint64_t token);

  void Work(blk::IoWorker& worker) override;
  napi_value Settle(napi_env env) override;
  void Done() override { under_way_.End(); }

  // Keeps the device until the call has settled.
  DeviceCall under_way_;
  const ExtentsWanted wanted_;
  std::vector<blk::DeviceExtent> found_;
  std::optional<blk::Result<size_t>> count_;
  std::atomic<bool> cancel_{false};
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_EXTENTS_CALL_H_
