// Dial: makes a connection to a server and goes through the handshake. No state.
#ifndef RUMPBLK_CORE_NBD_DIAL_H_
#define RUMPBLK_CORE_NBD_DIAL_H_

#include <chrono>
#include <string>

#include "core/base/status.h"
#include "core/host/socket.h"
#include "core/host/socket_address.h"
#include "core/nbd/export_facts.h"

namespace blk::nbd {

struct Dialled {
  Socket socket;
  ExportFacts facts;
};

// Waits for all of it for at most `timeout`, 0: for ever; a signal of `stop`, where given, ends it with ECANCELED.
// Errors: ETIMEDOUT · those of Socket::Connect() and ClientHandshake, all of Op::kConnect · ENOMEM.   Thread: any.
Result<Dialled> Dial(const SocketAddress& address, const std::string& name, std::chrono::milliseconds timeout,
                     const WakeEvent* stop);

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_DIAL_H_
