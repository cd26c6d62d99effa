// Filter: looks at what is asked of a device before a strategy does it, and may refuse it: faults, protected ranges.
// Which filters a device has, and in which order, is a FilterChain's business (core/filter).
// Thread-safe: all of it may run on any number of threads at once.
#ifndef RUMPBLK_CORE_REQUEST_FILTER_H_
#define RUMPBLK_CORE_REQUEST_FILTER_H_

#include "core/base/status.h"
#include "core/request/piece.h"

namespace blk {

struct Request;

// What whoever makes requests of many entries has to know of the filters in its way. Of one filter it is fixed.
struct FilterTraits {
  bool needs_each_request = false;  // Admit() is owed every request, and every entry of a batch, in the order of calls
  bool may_refuse_pieces = false;   // Refuses() has its say: what is asked for apart is not to be run as one piece
  bool watches_pieces = false;      // Watch() is told of each piece
  bool watches_requests = false;    // Completed() is told of each request, and of each entry of a batch

  // Those of both, one after the other.
  FilterTraits With(const FilterTraits& other) const {
    return {needs_each_request || other.needs_each_request, may_refuse_pieces || other.may_refuse_pieces,
            watches_pieces || other.watches_pieces, watches_requests || other.watches_requests};
  }
};

class Filter {
 public:
  // No request that it has admitted may be under way.
  virtual ~Filter() = default;

  virtual FilterTraits traits() const = 0;

  // Looks at a request that is planned, on the thread that asks for it, in the order of the calls, before it is queued
  // or run. Once per request; it may stop it, and change nothing else.
  virtual void Admit(Request& request) = 0;

  // A request has come to the piece at which this filter has stopped it, and ends there.
  virtual void Stopped(const Request& request) { static_cast<void>(request); }

  // Why `piece` must not run, which then moves nothing; ok where it may. Asked as each piece is about to run, on the
  // thread that runs it, and only of a filter that may_refuse_pieces.
  virtual Status Refuses(const Piece& piece) { return static_cast<void>(piece), Status::Ok(); }

  // `piece` is about to run, and then once more: it is complete, and nobody knows yet. On the threads where that
  // happens; it waits for nothing. Told only to a filter that watches_pieces.
  virtual void Watch(const Piece& piece) { static_cast<void>(piece); }

  // A request is over, its outcome filled in, and its caller hears of it next. Told by CompleteRequest(), of requests
  // in which Admit() has set trace.filter, on any thread; it waits for nothing. It may set trace.ended.
  virtual void Completed(Request& request) { static_cast<void>(request); }
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_FILTER_H_
