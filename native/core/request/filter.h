// Filter: looks at what is asked of a device before a strategy does it, and may refuse it: faults, protected ranges.
// Which filters a device has, and in which order, is a FilterChain's business (core/filter).
// Thread-safe: all of it may run on any number of threads at once.
#ifndef RUMPBLK_CORE_REQUEST_FILTER_H_
#define RUMPBLK_CORE_REQUEST_FILTER_H_

#include "core/base/status.h"
#include "core/request/piece.h"

namespace blk {

struct Request;
class Strategy;

// What whoever makes requests of many entries has to know of the filters in its way. Of one filter it is fixed.
struct FilterTraits {
  bool needs_each_request = false;  // Admit() is owed every request, and every entry of a batch, in the order of calls
  bool may_refuse_pieces = false;   // Refuses() has its say: what is asked for apart is not to be run as one piece
  bool watches_pieces = false;      // Begins() and Ends() are told of each piece
  bool performs_pieces = false;     // Perform() runs each piece
  bool watches_requests = false;    // Completed() is told of each request, and of each entry of a batch

  // Those of both, one after the other.
  FilterTraits With(const FilterTraits& other) const {
    return {needs_each_request || other.needs_each_request, may_refuse_pieces || other.may_refuse_pieces,
            watches_pieces || other.watches_pieces, performs_pieces || other.performs_pieces,
            watches_requests || other.watches_requests};
  }
};

class Filter {
 public:
  // No request that it has admitted may be under way.
  virtual ~Filter() = default;

  virtual FilterTraits traits() const = 0;

  // Looks at a request that is planned, on the thread that asks for it, in the order of the calls, before it is queued
  // or run. Once per request; it may stop it, and say in plan.decided how it will perform its pieces,
  // and change nothing else. A request with a decision is not started (Strategy::Start()): it waits for its medium.
  virtual void Admit(Request& request) = 0;

  // A request has come to the piece at which this filter has stopped it, and ends there.
  virtual void Stopped(const Request& request) { static_cast<void>(request); }

  // Why `piece` must not run, which then moves nothing; ok where it may. Asked as each piece is about to run, on the
  // thread that runs it, and only of a filter that may_refuse_pieces.
  virtual Status Refuses(const Piece& piece) { return static_cast<void>(piece), Status::Ok(); }

  // `piece` is about to run; it is complete, and nobody knows yet. On the threads where that happens; Ends() waits for
  // nothing. Told only to a filter that watches_pieces, which changes nothing but what of a piece is its own.
  virtual void Begins(Piece& piece) { static_cast<void>(piece); }
  virtual void Ends(Piece& piece) { static_cast<void>(piece); }

  // Runs `piece` and completes it, as Strategy::Submit() does, by `next`, which is what lies inside this filter: as it
  // is, in part, elsewhere, several times or not at all. What it gives to `next` obeys the rules of Submit(); it may be
  // `piece` itself, which has its place, size and data again at the end. Called only of a filter that performs_pieces.
  // Throws std::bad_alloc, and the piece is not complete then.
  virtual void Perform(Piece& piece, Strategy& next);

  // A request is over, its outcome filled in, and its caller hears of it next. Told by CompleteRequest(), of requests
  // in which Admit() has set trace.filter, on any thread; it waits for nothing. It may set trace.ended.
  virtual void Completed(Request& request) { static_cast<void>(request); }
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_FILTER_H_
