// Request: one call of read, write or strategy, and the plan of what will run of it: which pieces, how much of it lies
// in the device, and where it is stopped. The plan is made once, by the thread that asks and before anything runs;
// filters look at it, and may stop the request earlier; whoever runs it goes by it. So the pieces that are drawn for
// are the pieces that run. Plain data, used by one thread at a time.
#ifndef RUMPBLK_CORE_REQUEST_REQUEST_H_
#define RUMPBLK_CORE_REQUEST_REQUEST_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include "core/base/counters.h"
#include "core/base/status.h"
#include "core/base/units.h"
#include "core/request/decision.h"
#include "core/request/piece.h"

namespace blk {

class Filter;

// Why a piece is not run.
struct Stop {
  Status why;
  Filter* by = nullptr;  // who does it on purpose, a fault: its Stopped() is called when it comes to that
};

struct Plan {
  static constexpr size_t kNowhere = std::numeric_limits<size_t>::max();

  size_t reach = 0;           // bytes of the request that lie in the device
  size_t stop_at = kNowhere;  // bytes into the request: the piece that begins there ends it instead of being run
  Stop stop;
  std::shared_ptr<const Decision> decided;  // by the filter that performs pieces; it alone sets and reads it

  // Stops the request at the piece that begins `at` bytes into it, unless it is stopped before. Of two that stop the
  // same piece the later call counts: filters look from the inside to the outside.
  void StopAt(size_t at, const Stop& that) {
    if (at > stop_at) return;
    stop_at = at;
    stop = that;
  }
};

// What a filter that watches requests keeps in each, from Admit() to Completed(). Times are the filter's; one that is
// set already is that of requests which begin, or end, together.
struct TraceContext {
  Filter* filter = nullptr;  // who wants to hear of the end; null: nobody
  void* trace = nullptr;
  uint64_t number = 0;
  uint64_t begun = 0;
  uint64_t ended = 0;
};

// What is asked for, then what became of it. Whoever makes it keeps `data` alive until it has run.
struct Request : Terms {
  int64_t position = 0;     // bytes from the start of the device
  size_t length = 0;        // bytes
  uint8_t* data = nullptr;  // at least length bytes; not looked at by RunPart()
  bool raw = false;         // begins with a sector, and its bytes are moved in pieces of kMaxPhys
  const std::atomic<bool>* cancel = nullptr;
  CopySource* source = nullptr;  // of kCopy alone; whoever makes it keeps it until it has run
  int32_t stack = -1;            // where it came from, for logs
  Plan plan;                     // what will run of it; made by PlanRequest()

  // Filled in by RunRequest() and RunPart().
  size_t moved = 0;  // bytes, from the start without a gap
  Status status;
  bool injected = false;
  int64_t failed_blkno = 0;  // first sector of the piece that failed

  TraceContext trace;

  // A raw one that does not begin with a sector: refused outright, without a piece.
  bool misplaced() const { return raw && position % static_cast<int64_t>(kDevBsize) != 0; }
  // Whether it is more than one piece when it is long.
  bool is_cut() const { return raw && MovesBytes(operation); }
  // Bytes of each piece, but for the last one.
  size_t piece_size() const { return is_cut() ? static_cast<size_t>(kMaxPhys) : length; }
  // Pieces that are run when none fails, up to and including the one that meets the end of the device; one that is
  // refused there is one, too.   REQUIRES: it is planned.
  uint64_t pieces() const {
    if (length == 0 || misplaced()) return 0;
    // The one that meets the end is short, or empty, and the last.
    return is_cut() ? std::min((length - 1) / kMaxPhys, plan.reach / kMaxPhys) + 1 : 1;
  }
  // Whether it touches its memory at all.   REQUIRES: it is planned.
  bool moves() const { return MovesBytes(operation) && length > 0 && plan.stop_at > 0; }
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_REQUEST_H_
