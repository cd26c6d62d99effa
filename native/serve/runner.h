// Runner: does the requests of one connection, and collects what is to be answered. A read of what is in memory and a
// write that nothing is known to wait for are done at once; all else goes to the queue of the driver, or to the medium,
// and is answered when it is done, in any order, so that nothing behind it is held up.
// Used by the connection's thread alone. Memory: what it has under way is bounded by kMostUnderWay requests and, as
// soon as kMostRoom bytes are in use, by the one that came last.
#ifndef RUMPBLK_SERVE_RUNNER_H_
#define RUMPBLK_SERVE_RUNNER_H_

#include <atomic>
#include <memory>
#include <vector>

#include "core/base/aligned_pool.h"
#include "core/base/lane_lease.h"
#include "core/workers/io_turns.h"
#include "serve/export.h"
#include "serve/job.h"
#include "serve/reply_batch.h"
#include "serve/request_reader.h"
#include "serve/tally.h"

namespace blk::serve {

class Runner {
 public:
  static constexpr size_t kMostUnderWay = 128;
  static constexpr size_t kMostRoom = size_t{4} << 20;  // bytes

  // All of them outlive this object.
  Runner(Export& exported, const Session& session, std::shared_ptr<Inbox> inbox, AlignedPool& pool);
  // REQUIRES: under_way() is 0.
  ~Runner() = default;
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Whether there was memory for it.
  bool valid() const { return batch_.valid(); }
  // Whether it can take another request, and its answer.
  bool MayTake() const {
    return !stalled_ && under_way_ < kMostUnderWay && room_ + batch_.long_room() < kMostRoom && batch_.has_room();
  }
  // Does a request, or begins to.   REQUIRES: MayTake(), and none to disconnect.
  void Take(Arrived& arrived);
  // From here on each request is ESHUTDOWN.
  void Refuse() { refuses_ = true; }
  // From here on nothing is answered: there is nobody who would hear it.
  void Abandon() {
    abandoned_ = true;
    // They are called off, and may be held by a fault plan.
    device_.LetGoCancelled();
  }
  // Answers what has come back, as far as there is room.
  void TakeDone();
  // Whether some of it waits for room.
  bool has_done() const { return next_done_ < done_.size(); }

  // Requests that are not answered yet, and do not lie in the batch.
  size_t under_way() const { return under_way_; }
  ReplyBatch& batch() { return batch_; }
  TallyPart& tally() { return tally_; }

 private:
  void Read(Arrived& arrived, CallsInFlight::Call call);
  void Write(Arrived& arrived, CallsInFlight::Call call);
  void Change(Arrived& arrived, CallsInFlight::Call call);
  // Runs a read as far as it waits for nothing. -> whether it is over.
  bool ReadNow(Strategy& entry, Request& request, uint8_t* data, bool* waits);
  std::unique_ptr<Job> MakeJob(const Arrived& arrived, CallsInFlight::Call call);
  // Sends it on its way.
  void Go(std::unique_ptr<Job> job);
  // What cannot be queued now waits until another one has come back.
  void Queue(std::unique_ptr<IoTask> task);
  void Finish(Job& job);
  void Answer(const nbd::RequestHeader& header, nbd::WireError error);
  // Of one that was admitted, and finds no memory to run on.
  void AnswerWithout(const nbd::RequestHeader& header, Request& request);
  void AnswerRead(const nbd::RequestHeader& header, AlignedBuffer memory, size_t taken);
  void AnswerStatus(Job& job);
  void Count(const nbd::RequestHeader& header, nbd::WireError error);
  // Gives memory back.
  void Give(AlignedBuffer memory, size_t taken) { pool_.Give(std::move(memory), taken, kMostRoom); }

  Export& export_;
  Device& device_;
  const Session session_;
  const std::shared_ptr<Inbox> inbox_;
  AlignedPool& pool_;
  const LaneLease lane_lease_;
  IoFlow flow_;  // its tasks are under way
  ReplyBatch batch_;
  TallyPart tally_;
  std::unique_ptr<IoTask> stalled_;
  std::vector<std::unique_ptr<Job>> done_;  // came back, and not answered
  size_t next_done_ = 0;
  size_t under_way_ = 0;
  size_t room_ = 0;  // bytes of memory of those
  bool refuses_ = false;
  bool abandoned_ = false;
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_RUNNER_H_
