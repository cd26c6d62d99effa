// OverlayBase: what an overlay lies over: a range of a medium that is attached to read, with a lock that keeps off
// those who write. Bytes behind its end are zeros. Thread-safe but for Open(), Close() and Writer.
#ifndef RUMPBLK_CORE_MEDIUM_OVERLAY_BASE_H_
#define RUMPBLK_CORE_MEDIUM_OVERLAY_BASE_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/medium/medium.h"
#include "core/medium/read_counts.h"

namespace blk {

class OverlayBase {
 public:
  // None yet.
  OverlayBase() = default;
  // [begin, begin + size) of `medium`, which is this object's alone.
  OverlayBase(std::unique_ptr<Medium> medium, MediumOffset begin, uint64_t size, ReadCounts counts = ReadCounts())
      : medium_(std::move(medium)), range_{begin, {begin.value + size}}, counts_(std::move(counts)) {}
  OverlayBase(OverlayBase&& other) noexcept = default;
  OverlayBase& operator=(OverlayBase&& other) noexcept {
    Close();
    medium_ = std::move(other.medium_);
    range_ = other.range_;
    channel_ = std::move(other.channel_);
    counts_ = std::move(other.counts_);
    return *this;
  }
  OverlayBase(const OverlayBase&) = delete;
  OverlayBase& operator=(const OverlayBase&) = delete;
  ~OverlayBase() { Close(); }

  // Attaches it, no more than `most` bytes of it. Once.   Errors: EINVAL the range is not inside the medium, or the
  // medium does not tell its size · those of Medium::Attach().
  Status Open(uint64_t most);
  // Ends what Open() began. Idempotent. What a medium that was only read says at its end is nobody's.
  void Close();

  const Medium& medium() const { return *medium_; }
  uint64_t size() const { return range_.end.value - range_.begin.value; }

  // The base, and what is below it, as Medium::AddBelow() has them.   REQUIRES: it is open.
  void AddBelow(std::vector<MediumIdentity>& found) const {
    found.push_back(medium_->identity());
    medium_->AddBelow(found);
  }

  // [at, at + size), with zeros behind the end. As Channel::Read() has it.   REQUIRES: it is open.
  Moved Read(uint64_t at, void* data, size_t size, const PieceRules& rules) const;
  // As Channel::Extents() of all layers has it, a layer below; zeros behind the end are a hole.
  Result<size_t> Extents(MediumSpan within, std::span<MediumExtent> found, const PieceRules& rules) const;
  // As Channel::NextData() has it.
  MediumSpan NextData(MediumSpan within) const;
  void Prefetch(uint64_t at, uint64_t size) const noexcept;

  // A second attachment, that writes. While there is one, nobody else has the base.
  class Writer {
   public:
    // Errors: EBUSY somebody else has it · EACCES, EROFS.
    static Result<Writer> Open(OverlayBase& base);
    Writer(Writer&& other) noexcept : base_(std::exchange(other.base_, nullptr)), channel_(std::move(other.channel_)) {}
    Writer& operator=(Writer&&) = delete;
    // Closes if need be; of a failure before, which its owner has, nothing more is told.
    ~Writer();

    // Positions count from the start of the base; all of it lies inside.
    Moved Write(uint64_t at, const void* data, size_t size, const PieceRules& rules) const;
    Moved Zero(uint64_t at, uint64_t size, const PieceRules& rules) const;
    Status Sync() const { return channel_->Sync(); }
    // Ends the attachment; nothing is written behind it. Idempotent. Errors: those of Medium::Detach(); it has ended
    // all the same.
    Status Close();

   private:
    // `change` changes `size` bytes from `at` of the medium on, which those who track it hear of.
    template <typename Change>
    Moved Tracked(MediumOffset at, uint64_t size, const Change& change) const;

    Writer(OverlayBase& base, std::unique_ptr<Channel> channel) : base_(&base), channel_(std::move(channel)) {}

    OverlayBase* base_;
    std::unique_ptr<Channel> channel_;
  };

 private:
  Attachment Wanted(bool write) const;
  // The part of the base in [at, at + size): its bytes.
  uint64_t Inside(uint64_t at, uint64_t size) const {
    const uint64_t rest = at < this->size() ? this->size() - at : 0;
    return size < rest ? size : rest;
  }

  std::unique_ptr<Medium> medium_;
  MediumSpan range_;
  std::unique_ptr<Channel> channel_;
  ReadCounts counts_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_OVERLAY_BASE_H_
