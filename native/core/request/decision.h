// Decision: what a filter has decided for a request as it was admitted, for itself, as it performs the pieces.
#ifndef RUMPBLK_CORE_REQUEST_DECISION_H_
#define RUMPBLK_CORE_REQUEST_DECISION_H_

#include <cstdint>

namespace blk {

class HoldTicket;

// Shared by the copies of a plan, and gone with the last of them: with the request. Does not change once its request is
// admitted. What a request without one costs is a null pointer.
class Decision {
 public:
  virtual ~Decision() = default;

  // By which its completion is held; null: it is not.
  virtual HoldTicket* hold() const { return nullptr; }
  // What of it a trace shows, by the filter's own numbers; 0: nothing.
  virtual uint8_t shown() const { return 0; }
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_DECISION_H_
