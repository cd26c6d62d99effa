// Backing: the disk that an image goes on from, attached for reading as long as the image is. Thread-safe.
#ifndef RUMPBLK_CORE_IMAGE_BACKING_H_
#define RUMPBLK_CORE_IMAGE_BACKING_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/image/image_format.h"
#include "core/image/qcow2_header.h"
#include "core/medium/medium.h"

namespace blk {

// A disk that whoever opens an image brings along: what that lies over, where the image has a name for it by which
// nothing is opened here, an export of an NBD server. So no image reaches a server by itself.
struct GivenBacking {
  std::string name;                // what the image has to call it
  std::unique_ptr<Medium> medium;  // opened in the format that the image has to say; null: none is given
};

class Backing {
 public:
  // Opens the backing file that `header` of the image at `path` names: a path, from the image's own folder unless it is
  // absolute, in the format that the header says, raw where it says none. It is never guessed. Errors: ENOTSUP no plain
  // path, an export, or an unknown format · ELOOP a chain that is a circle, or too long · those of the media; with a
  // Why.
  static Result<std::unique_ptr<Backing>> Open(HostIo& host, const std::string& path, const Qcow2Header& header,
                                               const ImageChain& chain, bool lock);
  // Takes the disk that was brought along. Errors: ESTALE the header names another one, or another format of it · those
  // of the medium.
  static Result<std::unique_ptr<Backing>> Take(GivenBacking given, const Qcow2Header& header, ReadCounts counts,
                                               bool lock);
  ~Backing();
  Backing(const Backing&) = delete;
  Backing& operator=(const Backing&) = delete;

  // Bytes of it; behind them are zeros.
  uint64_t size() const { return size_; }
  Medium& medium() const { return *medium_; }
  Channel& channel() const { return *channel_; }
  // It, and what is below it, as Medium::AddBelow() has them.
  void AddBelow(std::vector<MediumIdentity>& found) const {
    found.push_back(medium_->identity());
    medium_->AddBelow(found);
  }
  // Reads [at, at + size), which it reaches to, as Channel::Read() has it.
  Moved ReadInside(uint64_t at, uint8_t* data, size_t size, const PieceRules& rules) {
    const Moved moved = channel_->Read({at}, data, size, rules);
    counts_.Note(moved);
    return moved;
  }
  // Reads [at, at + size), zeros behind the end. Errors: the medium's · ECANCELED.
  Moved Read(uint64_t at, uint8_t* data, size_t size, const PieceRules& rules);
  // As Channel::NextData() has it, on behind the end.
  MediumSpan NextData(MediumSpan within);

  // A second attachment, that writes. While there is one, nobody else has the disk.
  class Writer {
   public:
    // Errors: EBUSY somebody else has it · EACCES, EROFS · those of Medium::Attach().
    static Result<std::unique_ptr<Writer>> Open(Backing& backing);
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    // Closes if need be; of a failure before, which its owner has, nothing more is told.
    ~Writer();

    // REQUIRES: not closed.
    Channel& channel() const { return *channel_; }
    // Ends the attachment. Idempotent. Errors: those of Medium::Detach(); it has ended all the same.
    Status Close();

   private:
    Writer(Medium& medium, const Attachment& attachment, std::unique_ptr<Channel> channel)
        : medium_(medium), attachment_(attachment), channel_(std::move(channel)) {}

    Medium& medium_;
    const Attachment attachment_;
    std::unique_ptr<Channel> channel_;
  };

 private:
  // Attaches `medium` for reading. Errors: EINVAL it does not tell its size · those of Medium::Attach().
  static Result<std::unique_ptr<Backing>> Over(std::unique_ptr<Medium> medium, ReadCounts counts, bool lock);
  Backing(std::unique_ptr<Medium> medium, uint64_t size, const Attachment& attachment, ReadCounts counts)
      : medium_(std::move(medium)), size_(size), attachment_(attachment), counts_(std::move(counts)) {}

  const std::unique_ptr<Medium> medium_;
  const uint64_t size_;
  const Attachment attachment_;
  const ReadCounts counts_;
  std::unique_ptr<Channel> channel_;  // null: not attached
};

// Where the backing file lies that the image at `path` calls `name`; empty: `name` is no plain path.
std::string BackingPath(const std::string& path, const std::string& name);

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_BACKING_H_
