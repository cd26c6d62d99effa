// lock_holder: which process has a lock in the way, as far as the system tells. fcntl(2) answers with a process for
// locks that belong to one, and with none for open-file-description locks; those stand in /proc/PID/fdinfo, which names
// their processes to whoever may look at them. No state, thread-safe. Reads hundreds of files: for the words of an
// error, never on the way of a request.
#ifndef RUMPBLK_CORE_HOST_LOCK_HOLDER_H_
#define RUMPBLK_CORE_HOST_LOCK_HOLDER_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/host/host_io.h"

namespace blk {

// An open-file-description lock as a line of fdinfo has it.
struct FdLock {
  bool exclusive = false;
  uint64_t inode = 0;
  uint64_t begin = 0;
  uint64_t last = 0;  // last byte, UINT64_MAX to the end
};

// Reads such a line. -> nothing for every other line.
std::optional<FdLock> ParseFdLock(std::string_view line);

// This process, which has the locks on what others cannot reach.
int OwnProcess();

// A process with a lock in the way of `kind` on [offset, offset + size), or 0. `own`: descriptors of this process whose
// locks are not in the way. `size` 0 reaches to the end. Of this moment: the lock may be gone, or the number somebody
// else's, by the time it is read.
int FindLockHolder(int fd, LockKind kind, uint64_t offset, uint64_t size, const std::vector<int>& own);

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_LOCK_HOLDER_H_
