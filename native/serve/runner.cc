#include "serve/runner.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "core/base/no_memory.h"
#include "core/host/copy.h"
#include "serve/judge.h"
#include "serve/replies.h"

namespace blk::serve {
namespace {

using nbd::Command;

constexpr size_t kShortRead = 64 * 1024;      // bytes that are read into the batch
constexpr size_t kCopied = 16 * 1024;         // bytes that are copied into it when they have come
constexpr size_t kPartNow = 256 * 1024;       // bytes of a part of a longer one that waits for nothing
constexpr size_t kMostNow = size_t{1} << 20;  // bytes of the longest one that is tried so
static_assert(kShortRead + 64 <= ReplyBatch::kMostShort && kPartNow % kPartGrid == 0);

}  // namespace

Runner::Runner(Export& exported, const Session& session, std::shared_ptr<Inbox> inbox, AlignedPool& pool)
    : export_(exported),
      device_(exported.device()),
      session_(session),
      inbox_(std::move(inbox)),
      pool_(pool),
      lane_lease_(exported.lanes()),
      batch_(pool, kMostRoom) {
  inbox_->Reserve(kMostUnderWay);
  done_.reserve(kMostUnderWay);
}

void Runner::Take(Arrived& arrived) {
  const nbd::RequestHeader& header = arrived.header;
  nbd::WireError error = arrived.verdict;
  CallsInFlight::Call call;
  if (error == nbd::kWireOk) {
    auto entered = export_.calls().Enter();
    if (refuses_ || !entered.ok()) {
      error = nbd::kWireShutdown;
    } else {
      call = entered.Take();
    }
  }
  const bool empty = header.length == 0 && arrived.command() != Command::kFlush;
  if (error != nbd::kWireOk || empty) {
    Give(std::move(arrived.memory), header.length);
    return Answer(header, error);
  }
  const bool had_memory = HadMemory([&] {
    switch (arrived.command()) {
      case Command::kRead: return Read(arrived, std::move(call));
      case Command::kWrite: return Write(arrived, std::move(call));
      default: return Change(arrived, std::move(call));
    }
  });
  if (!had_memory) Answer(header, nbd::kWireNoMemory);
}

bool Runner::ReadNow(Strategy& entry, Request& request, uint8_t* data, bool* waits) {
  const bool tries = !device_.starts().Has(Operation::kRead) || device_.tells_memory();
  if (!tries || request.length > kMostNow || request.plan.decided) return false;
  request.nowait = true;
  bool more = true;
  while (more) {
    const size_t begun = request.moved;
    more = RunPart(entry, request, data + begun, std::min(request.length - begun, kPartNow));
  }
  request.nowait = false;
  if (!IsUndone(request.status)) return true;
  *waits = request.status.err == EAGAIN;
  request.status = Status::Ok();
  return false;
}

void Runner::Read(Arrived& arrived, CallsInFlight::Call call) {
  const nbd::RequestHeader& header = arrived.header;
  const size_t length = header.length;
  const size_t before = ReadHeaderSize(session_);
  uint8_t* const reply = batch_.Room();
  const bool is_short = length <= kShortRead;
  AlignedBuffer memory;
  if (!is_short) {
    memory = pool_.Take(length);
    if (memory.data() == nullptr) return Answer(header, nbd::kWireNoMemory);
  }
  uint8_t* const data = is_short ? reply + before : memory.data();
  Request request = device_.BytesRequest(Operation::kRead, header.offset, data, length, Fua::kByCacheMode);
  request.lane = lane_lease_.lane();
  request.cancel = &inbox_->cancel();
  Strategy& entry = device_.Admit(request);
  bool waits = false;
  if (ReadNow(entry, request, data, &waits)) {
    CompleteRequest(request);
    const nbd::WireError error = OutcomeOf(request);
    if (error != nbd::kWireOk) {
      Give(std::move(memory), length);
      return Answer(header, error);
    }
    if (!is_short) return AnswerRead(header, std::move(memory), length);
    PutReadHeader(header, session_, reply);
    batch_.Add(before + length);
    return Count(header, nbd::kWireOk);
  }
  if (is_short) {
    memory = pool_.Take(length);
    if (memory.data() == nullptr) return AnswerWithout(header, request);
    if (request.moved > 0) std::memcpy(memory.data(), data, request.moved);
  }
  std::unique_ptr<Job> job = MakeJob(arrived, std::move(call));
  request.data = memory.data();
  job->request = request;
  job->entry = &entry;
  job->memory = std::move(memory);
  job->taken = length;
  job->waits = waits;
  Go(std::move(job));
}

void Runner::Write(Arrived& arrived, CallsInFlight::Call call) {
  const nbd::RequestHeader& header = arrived.header;
  const Fua fua = (header.flags & nbd::kFlagFua) != 0 ? Fua::kOn : Fua::kByCacheMode;
  // Only read from by a write.
  auto* data = const_cast<uint8_t*>(arrived.data);
  Request request = device_.BytesRequest(Operation::kWrite, header.offset, data, header.length, fua);
  request.lane = lane_lease_.lane();
  request.cancel = &inbox_->cancel();
  Strategy& entry = device_.Admit(request);
  const bool in_buffer = arrived.memory.data() == nullptr;
  if (in_buffer && !request.durable && !device_.Starts(entry, request, data, request.length) && !request.plan.decided &&
      !inbox_->writes().AssumesBlocking()) {
    const auto begun = std::chrono::steady_clock::now();
    RunRequest(entry, request);
    inbox_->writes().Record(std::chrono::steady_clock::now() - begun);
    CompleteRequest(request);
    return Answer(header, OutcomeOf(request));
  }
  std::unique_ptr<Job> job = MakeJob(arrived, std::move(call));
  job->memory = in_buffer ? pool_.Take(header.length) : std::move(arrived.memory);
  if (job->memory.data() == nullptr) return AnswerWithout(header, request);
  if (in_buffer) std::memcpy(job->memory.data(), data, header.length);
  request.data = job->memory.data();
  job->request = request;
  job->entry = &entry;
  job->taken = header.length;
  job->waits = request.durable;
  Go(std::move(job));
}

void Runner::Change(Arrived& arrived, CallsInFlight::Call call) {
  const nbd::RequestHeader& header = arrived.header;
  std::unique_ptr<Job> job = MakeJob(arrived, std::move(call));
  const Fua fua = (header.flags & nbd::kFlagFua) != 0 ? Fua::kOn : Fua::kByCacheMode;
  const auto range = [&](Operation operation) {
    job->request = device_.RangeRequest(operation, header.offset, header.length, fua);
    job->request.keep_room = (header.flags & nbd::kFlagNoHole) != 0;
    job->request.fast = (header.flags & nbd::kFlagFastZero) != 0;
    job->request.cancel = &inbox_->cancel();
    job->entry = &device_.Admit(job->request);
  };
  if (arrived.command() == Command::kFlush) job->flush = device_.AdmitFlush();
  if (arrived.command() == Command::kTrim) range(Operation::kDiscard);
  if (arrived.command() == Command::kWriteZeroes) range(Operation::kZero);
  if (arrived.command() == Command::kCache) range(Operation::kPrefetch);
  if (arrived.command() == Command::kBlockStatus) job->contexts = &session_.contexts;
  job->waits = true;
  Go(std::move(job));
}

std::unique_ptr<Job> Runner::MakeJob(const Arrived& arrived, CallsInFlight::Call call) {
  auto job = std::make_unique<Job>();
  job->header = arrived.header;
  job->exported = &export_;
  job->call = std::move(call);
  job->inbox = inbox_;
  return job;
}

void Runner::Go(std::unique_ptr<Job> job) {
  // Of a medium that tells, what was not found to wait is a worker's, who then may.
  const bool tried = job->waits || job->command() != Command::kRead || !device_.tells_memory();
  const bool starts = tried && job->Starts();
  std::unique_ptr<IoTask> task;
  const size_t room = AlignedPool::RoomFor(job->taken);
  if (!starts) task = std::make_unique<QueuedJob>(std::move(job));
  under_way_++;
  room_ += room;
  if (starts) return StartJob(std::move(job));
  Queue(std::move(task));
}

void Runner::Queue(std::unique_ptr<IoTask> task) {
  switch (export_.queue().TryPut(flow_, task)) {
    case IoQueue::Outcome::kQueued: return;
    // The tasks that the flow is full of are of this connection: one of them comes back.
    case IoQueue::Outcome::kFull: stalled_ = std::move(task); return;
    case IoQueue::Outcome::kNoMemory:
    case IoQueue::Outcome::kNoThreads: return RunJob(static_cast<QueuedJob&>(*task).Take(), lane_lease_.lane());
    // It is dropped, and comes back so.
    case IoQueue::Outcome::kStopped: return;
  }
}

void Runner::TakeDone() {
  while (under_way_ > 0) {
    if (next_done_ == done_.size()) {
      done_.clear();
      next_done_ = 0;
      inbox_->TakeAll(&done_);
      if (done_.empty()) break;
    }
    if (!batch_.has_room() && !abandoned_) break;
    const std::unique_ptr<Job> job = std::move(done_[next_done_++]);
    under_way_--;
    room_ -= AlignedPool::RoomFor(job->taken);
    Finish(*job);
  }
  if (stalled_) Queue(std::exchange(stalled_, nullptr));
}

void Runner::Finish(Job& job) {
  if (abandoned_) return Give(std::move(job.memory), job.taken);
  if (job.error == nbd::kWireOk && job.command() == Command::kRead) {
    return AnswerRead(job.header, std::move(job.memory), job.taken);
  }
  Give(std::move(job.memory), job.taken);
  if (job.error == nbd::kWireOk && job.command() == Command::kBlockStatus) return AnswerStatus(job);
  Answer(job.header, job.error);
}

void Runner::Answer(const nbd::RequestHeader& header, nbd::WireError error) {
  AddOutcome(header, error, session_, batch_);
  Count(header, error);
}

void Runner::AnswerWithout(const nbd::RequestHeader& header, Request& request) {
  request.status = {ENOMEM, Op::kStrategy};
  CompleteRequest(request);
  Answer(header, nbd::kWireNoMemory);
}

void Runner::AnswerRead(const nbd::RequestHeader& header, AlignedBuffer memory, size_t taken) {
  uint8_t* const reply = batch_.Room();
  const size_t before = ReadHeaderSize(session_);
  PutReadHeader(header, session_, reply);
  if (header.length <= kCopied) {
    CopyBytes(reply + before, memory.data(), header.length);
    batch_.Add(before + header.length);
    Give(std::move(memory), taken);
  } else {
    batch_.Add(before);
    batch_.AddLong(std::move(memory), header.length, taken);
  }
  Count(header, nbd::kWireOk);
}

void Runner::AnswerStatus(Job& job) {
  const size_t size = StatusReplySize(job.statuses);
  if (size <= ReplyBatch::kMostShort) {
    PutStatus(job.header, job.statuses, batch_.Room());
    batch_.Add(size);
  } else {
    AlignedBuffer memory = pool_.Take(size);
    if (memory.data() == nullptr) return Answer(job.header, nbd::kWireNoMemory);
    PutStatus(job.header, job.statuses, memory.data());
    batch_.AddLong(std::move(memory), size, size);
  }
  Count(job.header, nbd::kWireOk);
}

void Runner::Count(const nbd::RequestHeader& header, nbd::WireError error) {
  tally_.requests++;
  if (error != nbd::kWireOk) {
    tally_.errors++;
  } else if (header.type == static_cast<uint16_t>(Command::kRead)) {
    tally_.bytes_read += header.length;
  } else if (header.type == static_cast<uint16_t>(Command::kWrite)) {
    tally_.bytes_written += header.length;
  }
}

}  // namespace blk::serve
