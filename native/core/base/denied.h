// MayBeDenied: an error of the host that need not be about what was asked for.
#ifndef RUMPBLK_CORE_BASE_DENIED_H_
#define RUMPBLK_CORE_BASE_DENIED_H_

#include <cerrno>

namespace blk {

// Whether a call may have been denied, by a seccomp profile for one, while others that do the same are not.
constexpr bool MayBeDenied(int err) { return err == EPERM || err == EACCES; }

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_DENIED_H_
