// RangeChange: one StartedMove that discards or makes zeros, as transfers of a client one after the other: what of it
// are whole blocks by trims or write-zeroes, the rest of zeros by writes. It answers its move and goes by itself. Used
// by one thread at a time: the one that starts it, then those that answer its transfers.
#ifndef RUMPBLK_CORE_NBD_RANGE_CHANGE_H_
#define RUMPBLK_CORE_NBD_RANGE_CHANGE_H_

#include <cstdint>

#include "core/medium/channel.h"
#include "core/nbd/transfer.h"

namespace blk::nbd {

class RangeChange {
 public:
  // Begins `move`, a kDiscard or a kZero, which is answered later, or at once: where nothing is to be done, and with
  // what `finish` is told of errors: ECANCELED · ENOMEM · EOPNOTSUPP zeros not `fast`. `channel` is who begins writes.
  // All but `move` outlive it.   Thread: any; it does not wait.   REQUIRES: it lies inside the export.
  static void Start(Channel& channel, Client& client, TransferState& state, StartedMove& move);

 private:
  // In this order: if the blocks in between are refused, nothing has changed.
  enum class Stage : uint8_t { kBlocks, kHead, kTail, kOver };

  RangeChange(Channel& channel, Client& client, TransferState& state, StartedMove& move);

  bool zeros() const { return move_->kind == StartedMove::Kind::kZero; }
  // Whether the server has the command, and a whole block for it.
  bool has_blocks() const { return blocks_begin_ < blocks_end_; }
  void Enter(Stage stage);
  // Each of these: *this may be gone when it returns.
  void GoOn();
  void EndPart(const Moved& moved);
  void Answer(const Moved& moved);

  Channel& channel_;
  Client& client_;
  TransferState& state_;
  StartedMove* const move_;     // until it is answered
  const uint64_t begin_, end_;  // bytes of the move
  TransferKind kind_;           // of the whole blocks
  uint64_t blocks_begin_, blocks_end_;
  Stage stage_ = Stage::kBlocks;
  uint64_t from_ = 0, next_ = 0, until_ = 0;  // of the stage: where it begins, how far it has come, where it ends
  StartedMove part_;
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_RANGE_CHANGE_H_
