// TrackFilter: marks what an open changes for those who track its disk. Thread-safe.
#ifndef RUMPBLK_CORE_FILTER_TRACK_FILTER_H_
#define RUMPBLK_CORE_FILTER_TRACK_FILTER_H_

#include "core/base/change_tracks.h"
#include "core/request/filter.h"

namespace blk {

class TrackFilter final : public Filter {
 public:
  // `begin` is where the device begins on the medium. `tracks` outlives this object.
  TrackFilter(MediumOffset begin, ChangeTracks& tracks) : begin_(begin), tracks_(tracks) {}

  FilterTraits traits() const override { return {false, false, /*watches_pieces=*/true}; }
  void Admit(Request& request) override { static_cast<void>(request); }
  void Begins(Piece& piece) override { Mark(piece); }
  void Ends(Piece& piece) override { Mark(piece); }

 private:
  void Mark(const Piece& piece) {
    if (!Mutates(piece.operation)) return;
    const uint64_t begin = begin_.value + piece.position;
    tracks_.Mark({{begin}, {begin + piece.size}});
  }

  const MediumOffset begin_;
  ChangeTracks& tracks_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_TRACK_FILTER_H_
