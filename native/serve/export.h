// Export: a device that is served: what clients may learn of it, and the requests on it that are under way, after which
// it can be taken away from under the clients. Thread-safe; fixed but for its end.
#ifndef RUMPBLK_SERVE_EXPORT_H_
#define RUMPBLK_SERVE_EXPORT_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/base/lane_lease.h"
#include "core/device/device.h"
#include "core/device/tracked_changes.h"
#include "core/workers/calls_in_flight.h"
#include "core/workers/io_queue.h"
#include "serve/export_facts.h"

namespace blk::serve {

// Its name is at most nbd::kMaxString bytes with what contexts put before it.
struct ExportBitmap {
  std::string name;
  std::shared_ptr<const TrackedChanges> changes;
};

struct ExportOptions {
  std::string name;
  std::string description;
  bool writable = false;
  std::shared_ptr<Device> device;
  // Of the driver of the device, which outlives the export.
  IoQueue* queue = nullptr;
  std::shared_ptr<Lanes> lanes;
  // Dirty bitmaps that block status tells of.   REQUIRES: they are of the bytes of the device.
  std::vector<ExportBitmap> bitmaps = {};
};

class Export {
 public:
  // REQUIRES: a writable one has a device that is open 'r+'; nobody closes the device before calls() are over.
  explicit Export(ExportOptions options);
  Export(const Export&) = delete;
  Export& operator=(const Export&) = delete;

  const ExportFacts& facts() const { return facts_; }
  Device& device() const { return *device_; }
  IoQueue& queue() const { return queue_; }
  const std::shared_ptr<Lanes>& lanes() const { return lanes_; }
  const TrackedChanges& bitmap(size_t i) const { return *bitmaps_[i].changes; }

  // Makes all that was answered durable. A loss that the device tells of once, as one over NBD does, is told to every
  // client from then on: any of them may have written what is gone.   Errors: those of Device::RunFlush().
  Status Flush(Device::AdmittedFlush& flush, Lane lane);
  // What is behind it, for who has started flush.request.
  Status EndFlush(Device::AdmittedFlush& flush) { return Flushed(flush, device_->EndFlush(flush)); }

  // Requests under way. A close of them is the end of the export: what clients ask of it from then on is ESHUTDOWN.
  CallsInFlight& calls() { return calls_; }

 private:
  Status Flushed(Device::AdmittedFlush& flush, Status status);

  const ExportFacts facts_;
  const std::shared_ptr<Device> device_;
  IoQueue& queue_;
  const std::shared_ptr<Lanes> lanes_;
  const std::vector<ExportBitmap> bitmaps_;
  CallsInFlight calls_;
  std::atomic<bool> has_lost_{false};
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_EXPORT_H_
