#include "core/device/device.h"

// Flushes of Device: of its own, and behind batches.

namespace blk {

Device::AdmittedFlush Device::AdmitFlush() {
  AdmittedFlush flush;
  if (!DurabilityRule(options_.cache).flushes()) return flush;
  flush.request = RangeRequest(Operation::kFlush, 0, range_.size, Fua::kOff);
  flush.entry = &Admit(flush.request);
  return flush;
}

Status Device::RunFlush(AdmittedFlush& flush, Lane lane, ByteSpan* lost) {
  if (lost != nullptr) *lost = {};
  if (flush.entry == nullptr) return Status::Ok();
  flush.request.lane = lane;
  RunRequest(*flush.entry, flush.request);
  return EndFlush(flush, lost);
}

// The sync before the size: what was written before the file shrank is made durable in any case.
Status Device::EndFlush(AdmittedFlush& flush, ByteSpan* lost) {
  if (lost != nullptr) *lost = {};
  Status status = flush.request.status;
  // After a sync that failed as well: what the file lacks is lost, whatever else is.
  const Status reaches = minor_->disk().CheckReaches(minor_->span());
  if (status.ok()) status = reaches;
  if (!status.ok() && lost != nullptr) {
    *lost = ToDevice(range_.flush->TakeLoss({range_.begin, {range_.begin.value + range_.size}}));
  }
  return status;
}

Status Device::Flush(Lane lane, ByteSpan* lost) {
  AdmittedFlush flush = AdmitFlush();
  HoldTicket* const held = flush.request.plan.decided ? flush.request.plan.decided->hold() : nullptr;
  if (held != nullptr && held->hangs()) return {EDEADLK, Op::kFlush, Why::kInjected};
  const Status status = RunFlush(flush, lane, lost);
  if (held != nullptr) held->WaitHere();
  CompleteRequest(flush.request);
  return status;
}

void Device::RunHeld(Strategy& entry, Request& request) {
  HoldTicket* const held = request.plan.decided->hold();
  if (held != nullptr && held->hangs()) request.plan.StopAt(0, {{EDEADLK, Op::kStrategy, Why::kInjected}});
  RunRequest(entry, request);
  if (held != nullptr) held->WaitHere();
  CompleteRequest(request);
}

void Device::LetGoCancelled() const {
  const std::shared_ptr<FaultRun> run = plans_ != nullptr ? plans_->current() : nullptr;
  if (run) run->line()->LetGoCancelled();
}

Device::AdmittedFlush Device::FlushOfBatch(Strategy& entry, const BatchSync& what) {
  AdmittedFlush flush;
  if (!DurabilityRule(options_.cache).flushes()) return flush;
  flush.request = RangeRequest(Operation::kFlush, 0, range_.size, Fua::kOff);
  flush.request.for_group = what.for_group;
  flush.request.stack = what.stack;
  flush.entry = &entry;
  if (what.admitted != nullptr) {
    flush.request.plan = *what.admitted;
  } else {
    PlanRequest(flush.request, range_);
  }
  if (tracer_.on()) tracer_.Admit(flush.request);
  return flush;
}

Status Device::SyncBatch(Strategy& entry, Lane lane, const BatchSync& what) {
  AdmittedFlush flush = FlushOfBatch(entry, what);
  const Status status = RunFlush(flush, lane);
  CompleteRequest(flush.request);
  return status;
}

}  // namespace blk
