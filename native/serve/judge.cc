#include "serve/judge.h"

namespace blk::serve {
namespace {

using nbd::Command;

// The flags that a command may have. FUA is for all of them, once it is offered.
unsigned KnownFlags(Command command, const Session& session) {
  switch (command) {
    case Command::kRead: return session.structured ? nbd::kFlagFua | nbd::kFlagDf : nbd::kFlagFua;
    case Command::kWriteZeroes: return nbd::kFlagFua | nbd::kFlagNoHole | nbd::kFlagFastZero;
    case Command::kBlockStatus: return nbd::kFlagFua | nbd::kFlagReqOne;
    case Command::kWrite:
    case Command::kDisconnect:
    case Command::kFlush:
    case Command::kTrim:
    case Command::kCache: break;
  }
  return nbd::kFlagFua;
}

bool Changes(Command command) {
  return command == Command::kWrite || command == Command::kTrim || command == Command::kWriteZeroes;
}

nbd::WireError JudgeRange(Command command, const nbd::RequestHeader& request, uint64_t size) {
  if (request.offset <= size && request.length <= size - request.offset) return nbd::kWireOk;
  const bool fills = command == Command::kWrite || command == Command::kWriteZeroes;
  return fills ? nbd::kWireNoSpace : nbd::kWireInvalid;
}

}  // namespace

nbd::WireError Judge(const nbd::RequestHeader& request, const ExportFacts& facts, const Session& session) {
  const auto command = static_cast<Command>(request.type);
  if (request.type > static_cast<uint16_t>(Command::kBlockStatus)) return nbd::kWireInvalid;
  if ((request.flags & ~KnownFlags(command, session)) != 0) return nbd::kWireInvalid;
  if (command == Command::kDisconnect) return nbd::kWireOk;
  if (Changes(command) && !facts.writable) return nbd::kWirePermission;
  const bool has_payload = command == Command::kRead || command == Command::kWrite;
  if (has_payload && request.length > kMaxPayload) return nbd::kWireInvalid;
  if (command == Command::kFlush) {
    return request.offset == 0 && request.length == 0 ? nbd::kWireOk : nbd::kWireInvalid;
  }
  if (command == Command::kBlockStatus && session.contexts.count() == 0) return nbd::kWireInvalid;
  // Unspecified; libnbd's tests want to hear of it, as from nbdkit.
  if (request.length == 0) return nbd::kWireInvalid;
  const uint32_t minimum = facts.sizes.minimum;
  if (minimum > 1 && (request.offset % minimum != 0 || request.length % minimum != 0)) return nbd::kWireInvalid;
  return JudgeRange(command, request, facts.size);
}

nbd::WireError ToWire(const Status& status) {
  switch (status.err) {
    case 0: return nbd::kWireOk;
    case EPERM:
    case EROFS:
    case EACCES: return nbd::kWirePermission;
    case ENOMEM: return nbd::kWireNoMemory;
    case EINVAL: return nbd::kWireInvalid;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return nbd::kWireNoSpace;
    case EOPNOTSUPP: return nbd::kWireNotSupported;
    case EBADF:
    case ENXIO:
    case ENODEV:
    case ESHUTDOWN: return nbd::kWireShutdown;
    default: return nbd::kWireIo;
  }
}

}  // namespace blk::serve
