// RecordFilter: tells the logs of the disk, if there are any, of what an open changes and makes durable: the innermost
// filter, so that it sees what reaches the medium. Thread-safe.
#ifndef RUMPBLK_CORE_FILTER_RECORD_FILTER_H_
#define RUMPBLK_CORE_FILTER_RECORD_FILTER_H_

#include "core/request/filter.h"
#include "core/request/request.h"
#include "core/request/request_log.h"

namespace blk {

class RecordFilter final : public Filter {
 public:
  // `begin` is where the device begins on the medium; `unsafe`: nothing it writes is ever durable. `log` outlives this
  // object.
  RecordFilter(MediumOffset begin, DiskLog& log, bool unsafe) : begin_(begin), log_(log), unsafe_(unsafe) {}

  bool unsafe() const { return unsafe_; }

  FilterTraits traits() const override { return {false, false, /*watches_pieces=*/true}; }
  void Admit(Request& request) override { request.stack = log_.stack(); }
  void Begins(Piece& piece) override {
    if (!Mutates(piece.operation) && piece.operation != Operation::kFlush) return;
    if (const auto logs = log_.Get()) {
      for (const auto& log : *logs) log->Begun(piece, {begin_.value + piece.position}, unsafe_);
    }
  }
  void Ends(Piece& piece) override {
    if (piece.logged != nullptr) piece.logged->Ended(piece);
  }

 private:
  const MediumOffset begin_;
  DiskLog& log_;
  const bool unsafe_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_RECORD_FILTER_H_
