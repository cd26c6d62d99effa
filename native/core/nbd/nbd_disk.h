// NbdDisk: what the channels of an export share: its client, and what has to be known of one another. Thread-safe as
// its parts are.
#ifndef RUMPBLK_CORE_NBD_NBD_DISK_H_
#define RUMPBLK_CORE_NBD_NBD_DISK_H_

#include <memory>
#include <utility>

#include "core/medium/volatile_medium.h"
#include "core/nbd/client.h"
#include "core/nbd/transfer.h"

namespace blk::nbd {

// What all that reach one export share in this process, whatever clients they have.
struct NbdCommon {
  RangeHolds holds;  // who has which range of it
  TransferState transfers;
};

struct NbdDisk {
  NbdDisk(std::shared_ptr<Client> its, std::shared_ptr<NbdCommon> shared, bool keeps)
      : client(std::move(its)), common(std::move(shared)), transfers(common->transfers), keeps_extents(keeps) {}

  const std::shared_ptr<Client> client;
  const std::shared_ptr<NbdCommon> common;
  TransferState& transfers;
  const bool keeps_extents;  // what the server has said of extents holds until this side changes them
  // NbdStore's, under its lock: media that use it; of those that say goodbye, the next.
  size_t media = 1;
  NbdDisk* next_leaving = nullptr;
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_NBD_DISK_H_
