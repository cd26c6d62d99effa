// RunNowShared: a long read, as far as it needs no disk, into the caller's memory, by the JavaScript thread and idle
// workers together. Nobody can take the memory away meanwhile: only JavaScript could, and its thread is here.
// JavaScript thread only.
#ifndef RUMPBLK_ADDON_SHARED_READ_H_
#define RUMPBLK_ADDON_SHARED_READ_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "addon/run_now.h"
#include "core/base/no_memory.h"
#include "core/workers/shared_work.h"

namespace blk_addon {

// Bytes: a step of one thread, and the most of a request that is shared between two looks at the clock. A read that is
// shorter than the least costs more to share than it saves.
inline constexpr size_t kSharedStep = 128 * 1024;
inline constexpr size_t kMostShared = 8192 * 1024;
inline constexpr size_t kLeastShared = 512 * 1024;
// Workers that are asked for help: with this thread as many as fs has, and as a driver has workers.
inline constexpr size_t kHelpers = blk::kKeptWorkers - 1;

// Bytes of `request` that are still to be read, and will be if no disk fails.
inline size_t Readable(const blk::Request& request) {
  const size_t end = std::min({request.length, request.plan.reach, request.plan.stop_at});
  return end > request.moved ? end - request.moved : 0;
}

// Reads the next `size` bytes of `request` into `data`. -> whether the request goes on.
inline bool ReadSpan(blk::SharedWork& work, blk::Strategy& entry, blk::Request& request, uint8_t* data, size_t size) {
  constexpr size_t kMostSteps = kMostShared / kSharedStep;
  struct Outcome {
    size_t moved = 0;  // bytes of the request, those before the step too
    blk::Status status = blk::Status::Ok();
    int64_t failed_blkno = 0;
    bool goes_on = false;
  };
  std::array<Outcome, kMostSteps> outcomes;
  const size_t begin = request.moved;
  const size_t count = (size + kSharedStep - 1) / kSharedStep;
  work.Run(count, kHelpers, request.lane, [&](size_t i, blk::Lane lane) {
    Outcome& outcome = outcomes[i];
    const size_t at = i * kSharedStep;
    blk::Request step = request;
    step.moved = begin + at;
    step.lane = lane;
    const bool had_memory = blk::HadMemory(
        [&] { outcome.goes_on = blk::RunPart(entry, step, data + at, std::min(kSharedStep, size - at)); });
    outcome.moved = step.moved;
    outcome.status = had_memory ? step.status : blk::Status{ENOMEM, blk::Op::kStrategy};
    outcome.failed_blkno = step.failed_blkno;
    return outcome.goes_on;
  });
  for (size_t i = 0; i < count; i++) {
    request.moved = outcomes[i].moved;
    request.status = outcomes[i].status;
    request.failed_blkno = outcomes[i].failed_blkno;
    if (!outcomes[i].goes_on) return false;
  }
  return true;
}

// As RunNow(), of which it is the shared form; `data` is where the request goes on.
template <typename MayGoOn>
Now RunNowShared(blk::SharedWork& work, blk::Strategy& entry, blk::Request& request, uint8_t* data,
                 MayGoOn&& may_go_on) {
  if (request.operation != blk::Operation::kRead) return RunNow(entry, request, data, may_go_on);
  // One that has to wait shows it before anybody is woken.
  bool shares = false;
  while (Readable(request) >= kLeastShared) {
    const size_t size = shares ? std::min(Readable(request), kMostShared) : kSharedStep;
    if (!may_go_on(size)) return Now::kNotTried;
    const size_t before = request.moved;
    request.nowait = true;
    const bool goes_on = ReadSpan(work, entry, request, data, size);
    request.nowait = false;
    if (!goes_on) return RunOutcome(request);
    data += request.moved - before;
    shares = true;
  }
  return RunNow(entry, request, data, may_go_on);
}

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_SHARED_READ_H_
