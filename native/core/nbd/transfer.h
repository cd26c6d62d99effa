// Transfer: one StartedMove, or one stretch of zeros or of what is not needed any more, as requests of a client: cut to
// the server's largest payload, and where it does not begin and end with the server's blocks, by way of whole blocks
// that are read first. It answers its move and goes by itself. Its state is for one thread at a time, which the counts
// of what is under way see to.
#ifndef RUMPBLK_CORE_NBD_TRANSFER_H_
#define RUMPBLK_CORE_NBD_TRANSFER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/medium/channel.h"
#include "core/nbd/extent_cache.h"
#include "core/nbd/range_queue.h"
#include "core/nbd/wire_request.h"

namespace blk::nbd {

class Client;

// What the channels of one export share besides its client.
struct TransferState {
  RangeQueue blocks;
  ExtentCache extents;
  // Cleared when the server refuses zeros or trims that are longer than its payloads.
  std::atomic<bool> long_ranges{true};
};

// What a transfer asks for: a command with its flags.
struct TransferKind {
  Command command = Command::kRead;  // or kWrite, kWriteZeroes, kTrim
  uint16_t flags = 0;                // CommandFlag
};

class Transfer final : private RangeQueue::Place {
 public:
  // Most bytes of zeros, or of what is not needed, in one.
  static constexpr uint64_t kMostRange = uint64_t{1} << 30;

  // Begins `move`, which is answered later, or at once with ENOMEM or ECANCELED. Zeros and what is not needed have no
  // data, and begin and end with the server's blocks.   Thread: any; it does not wait.   REQUIRES: it lies inside the
  // export.
  static void Start(Client& client, TransferState& state, TransferKind kind, StartedMove& move);

 private:
  struct Part : WireRequest {
    Transfer* transfer = nullptr;
    uint64_t until = 0;  // bytes of the move that are over when this part and all before it are
    Status status;
  };
  // kBlocks: the blocks are read that are written in part.
  enum class Stage : uint8_t { kBlocks, kAll };

  Transfer(Client& client, TransferState& state, TransferKind kind, StartedMove& move);

  bool mutates() const { return kind_.command != Command::kRead; }
  bool moves_bytes() const { return kind_.command == Command::kRead || kind_.command == Command::kWrite; }
  bool has_edges() const { return has_head_ || has_tail_; }
  uint8_t* tail_block() { return blocks_.data() + block_; }

  // Each of these: *this may be gone when it returns.
  // `more`: as PieceRules has it.
  void StartStage(Stage stage, bool more = false);
  void EndStage();
  void Answer(const Moved& moved);
  void Release() {
    if (holds_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  void LeaveStage() {
    if (waits_.fetch_sub(1, std::memory_order_acq_rel) == 1) EndStage();
  }

  void MakeParts(Command command);
  void AddPart(Command command, uint64_t begin, uint64_t end, uint8_t* data);
  // What of the parts stands.
  Moved Outcome() const;
  // Copies what the move has of the blocks that it has a part of, from the blocks or into them.
  void CopyEdges(bool from_blocks);
  static void OnFinish(WireRequest& request, WireEnd how);
  static void OnCalledOff(WireRequest& request);

  Client& client_;
  TransferState& state_;
  const TransferKind kind_;
  StartedMove* const move_;     // until it is answered
  const uint64_t begin_, end_;  // bytes of the move
  const uint64_t block_;        // bytes of the server's smallest one
  const uint64_t head_, tail_;  // where the first block begins, and the last
  const bool has_head_, has_tail_;
  Stage stage_ = Stage::kAll;
  uint64_t longest_ = 0;          // bytes of a part
  std::vector<uint8_t> blocks_;   // head, then tail
  std::vector<Part> parts_;       // in order
  std::atomic<size_t> waits_{0};  // parts of the stage that are neither over nor called off, and one for who starts
  std::atomic<size_t> holds_{1};  // parts that are not over, and one for the move
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_TRANSFER_H_
