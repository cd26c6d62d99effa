// FaultPlanFilter: has the requests of one open meet what the fault plan of its driver decides. Decisions are made in
// Admit(), on the thread and in the order of the calls, for each planned piece; effects are theirs who perform the
// pieces, whatever access, batch or medium it is. Thread-safe. It is in force only while a plan is.
#ifndef RUMPBLK_CORE_FILTER_FAULT_PLAN_FILTER_H_
#define RUMPBLK_CORE_FILTER_FAULT_PLAN_FILTER_H_

#include <cstdint>

#include "core/base/counters.h"
#include "core/filter/fault_plans.h"
#include "core/filter/unflushed_writes.h"
#include "core/medium/channel.h"
#include "core/request/device_range.h"
#include "core/request/filter.h"
#include "core/request/request_log.h"

namespace blk {

class FaultPlanFilter final : public Filter {
 public:
  // Whose requests they are. What is pointed to outlives the filter.
  struct Place {
    int minor = 0;
    DeviceRange range;
    const void* disk = nullptr;
    MediumSpan disk_span;
    Channel* channel = nullptr;
    UnflushedWrites* unflushed = nullptr;
    DiskLog* logs = nullptr;
  };
  FaultPlanFilter(FaultPlans& plans, const Place& place) : plans_(plans), place_(place) {}

  // Each entry of a batch meets faults of its own, so none is merged with another.
  FilterTraits traits() const override {
    FilterTraits traits;
    traits.needs_each_request = true;
    traits.may_refuse_pieces = true;
    traits.performs_pieces = true;
    return traits;
  }
  // Decides on every piece that the request has, until one is stopped. Of operations that move no bytes it is one.
  void Admit(Request& request) override;
  // Its own failures are counted as they are decided.
  void Perform(Piece& piece, Strategy& next) override;

  // Decides on lending [position, position + size) of the device, which is no request. Errors: what a rule says.
  Status AdmitMap(uint64_t position, uint64_t size);

 private:
  void Do(const FaultEffect& effect, Piece& piece, Strategy& next, const FaultRun& run);
  // Of what runs in part: completes `piece` by bytes [from, from + size) of it, at `position` on the device.
  void DoSome(Piece& piece, Strategy& next, const FaultRun& run, size_t size, Status behind);
  void DoTorn(const FaultEffect& effect, Piece& piece, Strategy& next, const FaultRun& run);
  void DoDamaged(const FaultEffect& effect, Piece& piece, Strategy& next, const FaultRun& run);
  void DoMisdirected(const FaultEffect& effect, Piece& piece, Strategy& next, const FaultRun& run);
  void DoFlush(const FaultEffect* effect, Piece& piece, Strategy& next);
  // Submits what changes the medium, and keeps what was there if a flush may lose it.
  void Submit(Piece& piece, Strategy& next, const FaultRun& run);

  FaultPlans& plans_;
  const Place place_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_FAULT_PLAN_FILTER_H_
