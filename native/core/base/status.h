// Status and Result: errors as values. An error is a host errno and the operation that met it; text and JavaScript
// classes are lib's business. Both are [[nodiscard]]: no failure is dropped without a line that says why.
#ifndef RUMPBLK_CORE_BASE_STATUS_H_
#define RUMPBLK_CORE_BASE_STATUS_H_

#include <cassert>
#include <cerrno>
#include <cstdint>
#include <utility>
#include <variant>

#include "core/base/why.h"

namespace blk {

// What was being done when an error came: a call of the host, or a step of ours where no call was made. The values
// cross the addon as numbers, so lib reads the names from OpName() once instead of keeping a list of its own.
enum class Op : uint8_t {
  // Steps of ours and calls of the host alike, in no order that matters; new ones go before kCount.
  kRegister,
  kDeregister,
  kOpen,
  kClose,
  kStat,
  kPread,
  kPwrite,
  kMmap,
  kMunmap,
  kMsync,
  kFdatasync,
  kLock,
  kStrategy,
  kIoctl,
  kFlush,
  kMap,
  kDiscard,
  kZero,
  kExtents,
  kCopy,
  kTrack,
  kConnect,
  kListen,
  kServe,
  kCount  // number of operations, not one of them
};

// The word that becomes `syscall` in JavaScript. A switch without a default: a compiler warns of an operation that has
// no word yet.
constexpr const char* OpName(Op op) {
  switch (op) {
    case Op::kRegister: return "register";
    case Op::kDeregister: return "deregister";
    case Op::kOpen: return "open";
    case Op::kClose: return "close";
    case Op::kStat: return "stat";
    case Op::kPread: return "pread";
    case Op::kPwrite: return "pwrite";
    case Op::kMmap: return "mmap";
    case Op::kMunmap: return "munmap";
    case Op::kMsync: return "msync";
    case Op::kFdatasync: return "fdatasync";
    case Op::kLock: return "lock";
    case Op::kStrategy: return "strategy";
    case Op::kIoctl: return "ioctl";
    case Op::kFlush: return "flush";
    case Op::kMap: return "map";
    case Op::kDiscard: return "discard";
    case Op::kZero: return "zero";
    case Op::kExtents: return "extents";
    case Op::kCopy: return "copy";
    case Op::kTrack: return "track";
    case Op::kConnect: return "connect";
    case Op::kListen: return "listen";
    case Op::kServe: return "serve";
    case Op::kCount: break;
  }
  return "unknown";
}

// The outcome of something that has no value to give. Plain data.
struct [[nodiscard]] Status {
  int err = 0;            // 0, or a positive errno
  Op op = Op::kStrategy;  // means something only with an err
  Why why = Why::kNone;   // what the errno cannot say, where somebody knows

  static Status Ok() { return {}; }
  bool ok() const { return err == 0; }
};

// A value or the Status that explains its absence, never neither (B46). Move-only values are fine; not thread-safe, as
// the value it holds. The constructors convert, so that a function returns either of them as it is.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  // REQUIRES: status is a failure; an ok one would be a success without a value.
  Result(Status status) : state_(status) { assert(!status.ok()); }

  bool ok() const { return std::holds_alternative<T>(state_); }
  // Ok() when there is a value.
  Status status() const { return ok() ? Status::Ok() : std::get<Status>(state_); }
  // REQUIRES: ok().
  T& value() { return std::get<T>(state_); }
  const T& value() const { return std::get<T>(state_); }
  // Moves the value out; what stays behind is a moved-from T.   REQUIRES: ok().
  T Take() { return std::move(std::get<T>(state_)); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_STATUS_H_
