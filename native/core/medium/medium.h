// Medium: where the bytes of a disk lie: a host file, a node, memory. Its size, what it is called and what it is;
// Attach() gives an open its way to the bytes. Thread-safe.
#ifndef RUMPBLK_CORE_MEDIUM_MEDIUM_H_
#define RUMPBLK_CORE_MEDIUM_MEDIUM_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/change_tracks.h"
#include "core/base/status.h"
#include "core/base/units.h"
#include "core/medium/channel.h"
#include "core/medium/kept_changes.h"

namespace blk {

// Their names cross by addon/layout.cc.
enum class MediumKind : uint8_t {
  kFile = 0,
  kBlock = 1,
  kCharacter = 2,
  kMemory = 3,
  kNull = 4,
  kOverlay = 5,
  kNbd = 6,
};

// Which bytes they are, whatever the medium is called: two media with the same identity have the same bytes at the same
// positions. Of a host file st_dev and st_ino, of a node st_rdev and 0 (B21). Of an image that of the file it lies in,
// and which format it is read as.
struct MediumIdentity {
  MediumKind kind = MediumKind::kFile;
  uint64_t device = 0;
  uint64_t inode = 0;
  uint8_t format = 0;  // of an image; 0: none

  bool operator==(const MediumIdentity& other) const = default;
};

// What one open wants of a medium.
struct Attachment {
  bool write = false;
  bool direct = false;  // past the page cache, where the medium can
  // Keep others off the range, of a block node off all of it: all of them from one that writes, else those that write.
  bool lock = false;
  MediumSpan range;  // what it uses
};

class Medium {
 public:
  virtual ~Medium() = default;

  // For people: the path, as it was given.
  virtual const std::string& name() const = 0;
  virtual MediumIdentity identity() const = 0;
  // Bytes; nothing of a medium that does not tell: then the size is the caller's word. Fixed.
  virtual std::optional<uint64_t> size() const = 0;
  // What tables on it count in: a sector of a block node, 512 bytes of everything else and where nobody can tell.
  virtual uint64_t sector_size() const { return kDevBsize; }

  // Bytes now, of a medium that tells: it may have been cut. Errors: the medium's.   REQUIRES: not closed.
  virtual Result<uint64_t> SizeNow() { return *size(); }
  // Reads [at, at + size) past all opens: for who looks at tables. Errors: the medium's.   REQUIRES: not closed.
  virtual Status Read(MediumOffset at, void* data, size_t size) = 0;

  // Makes a channel for an open, which ends with Detach(). After a failure nothing of it is left.
  // Errors: EACCES, EROFS by what it wants · EBUSY somebody else has the range · ESTALE.   REQUIRES: not closed.
  virtual Result<std::unique_ptr<Channel>> Attach(const Attachment& wanted) = 0;
  // Ends what Attach() of the same attachment began. Errors: the medium's; it has ended all the same (B18).
  // REQUIRES: nothing uses the channel any more, but for its windows.
  virtual Status Detach(const Attachment& wanted) = 0;
  // A process that is in the way of such an attachment, 0 where nobody can tell. Slow.
  virtual int Holder(const Attachment& wanted) { return static_cast<void>(wanted), 0; }

  // Who wants to know what is changed of the bytes. Marked by whoever writes through a channel.
  ChangeTracks& tracks() const { return *tracks_; }

  // Adds what reads of this one may come from beside itself: the file that an image lies in, backing files, the base
  // of an overlay, and what is below those. Of this moment. Throws what a vector does.   Thread: any.   REQUIRES:
  // attached.
  virtual void AddBelow(std::vector<MediumIdentity>& found) { static_cast<void>(found); }
  // The medium that has the bytes of this one in an order of its own, any of which a write may change: the file of an
  // image. Nothing where they lie in it as they lie here.
  virtual std::optional<MediumIdentity> Scattered() const { return std::nullopt; }

  // Another medium of the very same bytes, whatever its name stands for by now, with attachments and locks of its own:
  // the two keep each other out as two media of one identity do.
  // Errors: ENOTSUP it cannot be had twice · the medium's.   REQUIRES: not closed.
  virtual Result<std::unique_ptr<Medium>> Again() { return Status{ENOTSUP, Op::kOpen}; }

  // The bitmap of that name that the medium keeps, with blocks of 2^shift bytes; it is made if there is none, where no
  // shift is given of ChangeMap::kUsualBlock. From here on changes are marked in it.
  // Errors: ENOTSUP it keeps none · EACCES nothing that writes is attached · EINVAL its blocks are of another size, or
  // it is switched off · ENOTSUP, EIO, EFBIG, ENOSPC with a Why · the medium's.   Thread: any; it waits.
  virtual Result<std::shared_ptr<KeptChanges>> KeepChanges(const std::string& name, std::optional<unsigned> shift) {
    static_cast<void>(name), static_cast<void>(shift);
    return Status{ENOTSUP, Op::kTrack, Why::kNoBitmaps};
  }
  // All that it keeps. Errors: the medium's.   REQUIRES: attached.
  virtual Result<std::vector<KeptBitmap>> ListKept() { return std::vector<KeptBitmap>(); }
  // Removes the one of that name, whatever it is. -> false: there is none, as of a medium that keeps none. Where it
  // fails before the medium has forgotten it, it stays, and what KeepChanges() gave of it marks on.
  // Errors: EACCES nothing that writes is attached · ENOSPC · the medium's.
  virtual Result<bool> RemoveKept(const std::string& name) { return static_cast<void>(name), false; }

  // Lets go of what the medium is made of. Once.   Errors: the medium's; it is closed all the same.
  // REQUIRES: nothing is attached.
  virtual Status Close() { return Status::Ok(); }

 protected:
  // `tracks` is not null; media that share the bytes may share it.
  explicit Medium(std::shared_ptr<ChangeTracks> tracks = std::make_shared<ChangeTracks>())
      : tracks_(std::move(tracks)) {}

 private:
  const std::shared_ptr<ChangeTracks> tracks_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_MEDIUM_H_
