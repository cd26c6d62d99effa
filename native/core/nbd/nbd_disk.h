// NbdDisk: what the channels of an export share: its client, and what has to be known of one another. Thread-safe as
// its parts are.
#ifndef RUMPBLK_CORE_NBD_NBD_DISK_H_
#define RUMPBLK_CORE_NBD_NBD_DISK_H_

#include <memory>
#include <utility>

#include "core/nbd/client.h"
#include "core/nbd/transfer.h"

namespace blk::nbd {

struct NbdDisk {
  NbdDisk(std::shared_ptr<Client> its, bool keeps) : client(std::move(its)), keeps_extents(keeps) {}

  const std::shared_ptr<Client> client;
  const bool keeps_extents;  // what the server has said of extents holds until this side changes them
  TransferState transfers;
  size_t media = 1;  // that use it; guarded by NbdStore's lock
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_NBD_DISK_H_
