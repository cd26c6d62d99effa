// Fuzzes ClientHandshake: never crashes, says the same however its bytes are cut, and believes in no export that cannot
// be.
#include <cstdlib>
#include <span>

#include "core/nbd/handshake.h"

namespace {

using blk::Status;
using blk::nbd::ClientHandshake;

Status Feed(ClientHandshake& hands, std::span<const uint8_t> bytes, size_t step) {
  Status status;
  for (size_t at = 0; at < bytes.size() && status.ok(); at += step) {
    status = hands.TakeIn(bytes.subspan(at, std::min(step, bytes.size() - at)));
  }
  return status;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A greeting that is right gets it further than luck does.
  static constexpr uint8_t kGreeting[] = {'N', 'B', 'D', 'M', 'A', 'G', 'I', 'C', 'I',
                                          'H', 'A', 'V', 'E', 'O', 'P', 'T', 0};
  ClientHandshake whole("disk"), cut("disk");
  if (size > 0 && (data[0] & 0x80) != 0) {
    if (!whole.TakeIn(kGreeting).ok() || !cut.TakeIn(kGreeting).ok()) std::abort();
  }
  const std::span<const uint8_t> bytes(data, size);
  const Status one = Feed(whole, bytes, size + 1), other = Feed(cut, bytes, 1);
  if (one.err != other.err || one.why != other.why || whole.done() != cut.done()) std::abort();
  if (whole.out() != cut.out()) std::abort();
  if (!whole.done() || !one.ok()) return 0;
  const blk::nbd::ExportFacts& facts = whole.facts();
  const auto& blocks = facts.blocks;
  if (blocks.minimum == 0 || blocks.minimum > 65536 || blocks.maximum < blocks.minimum) std::abort();
  if (blocks.maximum % blocks.minimum != 0 || blocks.preferred < blocks.minimum) std::abort();
  if (facts.reach() > facts.size || facts.size > INT64_MAX) std::abort();
  return 0;
}
