// Judge: what is wrong with a request, before anything of it is done. No state.
#ifndef RUMPBLK_SERVE_JUDGE_H_
#define RUMPBLK_SERVE_JUDGE_H_

#include <cstdint>

#include "core/base/status.h"
#include "core/nbd/wire.h"
#include "serve/export_facts.h"

namespace blk::serve {

// Bytes of a read or a write, at most; a write of up to twice as many is refused and its data skipped.
inline constexpr uint32_t kMaxPayload = uint32_t{64} << 20;

// What a request is answered that cannot be done as it is, or kWireOk: an unknown command or flag, a range outside the
// export, a change of one that is only read.
nbd::WireError Judge(const nbd::RequestHeader& request, const ExportFacts& facts, const Session& session);

// What a failure is called on the wire.
nbd::WireError ToWire(const Status& status);

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_JUDGE_H_
