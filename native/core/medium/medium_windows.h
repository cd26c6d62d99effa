// MediumWindows: a medium whose bytes can be mapped, as windows, leases and the policies of access see it: mappings,
// and what the host tells of them. Thread-safe.
#ifndef RUMPBLK_CORE_MEDIUM_MEDIUM_WINDOWS_H_
#define RUMPBLK_CORE_MEDIUM_MEDIUM_WINDOWS_H_

#include <cstddef>
#include <cstdint>

#include "core/base/status.h"
#include "core/base/units.h"
#include "core/host/mapping.h"

namespace blk {

class MediumWindows {
 public:
  // Maps [at, at + size) of the medium; `at` is a multiple of the page, size is not 0.   Errors: those of
  // Mapping::Create().
  virtual Result<Mapping> Map(MediumOffset at, size_t size, MapMode mode) = 0;

  // Why pages of a mapping could not be had at both ends of `lost`: ENOSPC when they can be read and there is no room
  // for them, else EIO. Never ok: the bytes are lost whatever holds by now.
  virtual Status WhyLost(MediumSpan lost) = 0;

  // Whether Mincore() tells the truth of mappings of this medium.
  virtual bool TellsResidency() = 0;
  // Whether to read a hole through a mapping takes room for it, which Read() of the channel never does.
  virtual bool FillsHoles() = 0;
  // As HostIo has them: residency of [address, address + size) of a mapping · page faults of this thread that waited
  // for a disk · clocks.
  virtual int Mincore(void* address, size_t size, unsigned char* residency) = 0;
  virtual uint64_t MajorFaults() = 0;
  virtual int64_t Nanoseconds() = 0;
  virtual uint32_t CoarseMilliseconds() = 0;

 protected:
  ~MediumWindows() = default;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_MEDIUM_WINDOWS_H_
