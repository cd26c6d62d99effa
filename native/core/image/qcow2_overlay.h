// Qcow2Overlay: an overlay whose changes lie in a qcow2 image over a host file or an export of an NBD server, so that
// they outlive the process: what is flushed is there after a power cut. The image is this object's alone, and its base
// is locked against those who write. Discards and zeros never bring the base back.
// Thread-safe. Lock order: changes_, the gate, those of Qcow2Writer and Qcow2Tables, the base's.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_OVERLAY_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_OVERLAY_H_

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/sync.h"
#include "core/image/change_marks.h"
#include "core/image/image_format.h"
#include "core/image/qcow2_image.h"
#include "core/image/qcow2_writer.h"
#include "core/medium/freeze_gate.h"
#include "core/medium/overlay.h"

namespace blk {

struct Qcow2OverlaySetting {
  std::string name;              // for people
  MediumIdentity base;           // what the image has to lie over
  std::optional<uint64_t> size;  // bytes that it has to have; default whatever it has
  uint64_t sector = kDevBsize;   // what tables on it count in
  ReadCounts counts;             // of reads of the base
};

// Whether an image names it by a URL, if it is all of a medium, and whether it can name it at all.
inline bool IsExport(const MediumIdentity& identity) { return identity.kind == MediumKind::kNbd; }
inline bool HasName(const MediumIdentity& identity) {
  return identity.kind == MediumKind::kFile || identity.kind == MediumKind::kBlock || IsExport(identity);
}
// What an image calls a format. Empty: it has no name for it.
std::string FormatName(const MediumIdentity& identity);

class Qcow2Overlay final : public Overlay {
 public:
  // Takes the host file that an image lies in, locks it and what it lies over, and makes it fit to be written. `given`:
  // an export that it lies over; what has a path is opened by that. `host` outlives the overlay.
  // Errors: ESTALE it lies over another base · EINVAL it has another size · those of Qcow2Image::Create(),
  // Qcow2Writer::Create() and Medium::Attach(); with a Why.
  static Result<std::shared_ptr<Qcow2Overlay>> Open(HostIo& host, std::unique_ptr<Medium> file,
                                                    const Qcow2OverlaySetting& setting, GivenBacking given = {});
  ~Qcow2Overlay() override;

  // Bytes of a block. Fixed.
  uint64_t unit_size() const { return unit_; }

  // As Channel has them.   REQUIRES: a user, for whom nobody else leaves meanwhile; inside the disk.
  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules);
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules);
  Moved Discard(MediumOffset at, uint64_t size, const PieceRules& rules);
  Moved Zero(MediumOffset at, uint64_t size, const PieceRules& rules);
  Status Sync();
  Result<size_t> Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found, const PieceRules& rules);

  std::unique_ptr<Channel> MakeChannel(const std::shared_ptr<Overlay>& overlay) override;

  // The image's file is this object's alone.
  void AddBelow(std::vector<MediumIdentity>& found) override;
  std::optional<MediumIdentity> Scattered() const override { return file_->identity(); }
  // Durable when it returns. Interrupted, some changes may be gone and some not.
  Status Reset() override EXCLUDES(changes_);
  // ENOTSUP.
  Result<OverlaySnapshot> Snapshot() override;
  Status Revert(const OverlaySnapshot& snapshot) override;
  // What requests write while it runs is committed as well, or stays where it reaches behind the end of the base, which
  // fails the commit (ENOSPC). They wait while the last of it is copied and synced.
  Result<uint64_t> Commit(const std::atomic<bool>* cancel) override EXCLUDES(changes_);
  Status Rebase(std::unique_ptr<Medium> base, const std::string& name, bool safe) override EXCLUDES(changes_);
  // Blocks are units of the image, clusters or 32nds of them.
  Result<Changed> Diff(uint64_t from, bool exact, std::span<MediumExtent> found) override;

 private:
  struct Opened {
    std::unique_ptr<Channel> channel;
    std::unique_ptr<Qcow2Image> image;
    std::unique_ptr<Qcow2Writer> writer;
  };

  Qcow2Overlay(HostIo& host, std::unique_ptr<Medium> file, Opened opened, const Qcow2OverlaySetting& setting);
  static Attachment Whole();
  static ImageChain ChainOver(const Medium& file, ReadCounts counts = ReadCounts());
  static Result<Opened> OpenOn(HostIo& host, Medium& file, const Qcow2OverlaySetting& setting, GivenBacking given);
  // What the overlay is to lie over, by the name that `header` has for it.
  Result<std::unique_ptr<Backing>> NewBacking(std::unique_ptr<Medium> base, const Qcow2Header& header);
  Status LetGo() override;

  void Mark(uint64_t at, uint64_t size) {
    if (marks_ && size > 0) marks_->Mark(at, at + size);
  }
  // What this layer has from `at` on, no further than `end`.
  Result<Qcow2Run> RunAt(uint64_t at, uint64_t end) { return image_->tables().Map(*channel_, at, end - at); }
  Moved ReadTop(uint64_t at, uint8_t* data, size_t size) { return image_->Read(*channel_, at, data, size, {}); }
  // ENOSPC when something in `span` that lies behind the end of the base is not zeros.
  Status CheckFits(MediumSpan span) REQUIRES(changes_);
  // Copies what this layer has in `span` into the base. -> bytes.
  Result<uint64_t> CopyDown(Channel& base, MediumSpan span, const std::atomic<bool>* cancel) REQUIRES(changes_);
  // The end of a commit: what was marked meanwhile, and nothing in the image any more. -> bytes.
  Result<uint64_t> Finish(Backing::Writer& writer) REQUIRES(changes_);
  // Keeps what reads otherwise over `base`.
  Status KeepDifferences(Backing& base) REQUIRES(changes_);
  Status KeepStretch(uint64_t at, uint64_t end, const uint8_t* bytes) REQUIRES(changes_);
  // Those units of [at, at + length), which is one run, whose bytes are not the base's.
  Status AddDiffering(uint64_t at, uint64_t length, ExtentType type, std::span<MediumExtent> found, Changed* changed);

  HostIo& host_;
  const std::unique_ptr<Medium> file_;
  const uint64_t unit_;  // bytes
  Mutex changes_;        // held by whoever changes all of it
  FreezeGate gate_;
  // There until the last user has left. Its syncs go on to fail once one has.
  std::unique_ptr<Channel> channel_;
  // What it lies over is looked at in a pass, or by whoever has changes_; changed while frozen.
  std::unique_ptr<Qcow2Image> image_;
  std::unique_ptr<Qcow2Writer> writer_;
  std::optional<ChangeMarks> marks_;  // while a commit runs: made and dropped while frozen
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_OVERLAY_H_
