// ExportFacts: what a handshake has found out about an export and about how its server answers. Plain data.
#ifndef RUMPBLK_CORE_NBD_EXPORT_FACTS_H_
#define RUMPBLK_CORE_NBD_EXPORT_FACTS_H_

#include <cstdint>
#include <optional>

#include "core/nbd/wire.h"

namespace blk::nbd {

struct ExportFacts {
  uint64_t size = 0;   // bytes, as the server says
  uint16_t flags = 0;  // TransmissionFlag
  BlockSizes blocks;   // what the protocol says of a server that says nothing, where this one did not
  bool structured = false;
  std::optional<uint32_t> allocation;  // the number of base:allocation, where the server has it

  bool Has(TransmissionFlag flag) const { return (flags & flag) != 0; }
  // Bytes that can be asked for: a last block that is not whole is out of reach.
  uint64_t reach() const { return size - size % blocks.minimum; }
  // Whether requests that were made for the one may be sent to the other.
  bool SameAs(const ExportFacts& other) const {
    return size == other.size && flags == other.flags && blocks.minimum == other.blocks.minimum &&
           blocks.maximum == other.blocks.maximum;
  }
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_EXPORT_FACTS_H_
