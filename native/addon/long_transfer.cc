#include "addon/long_transfer.h"

#include <algorithm>
#include <utility>

#include "addon/edge.h"
#include "addon/outcome.h"
#include "addon/shared_read.h"

namespace blk_addon {

namespace {

// Parts of one read under way at once: one for each worker of a driver that has the usual number of them.
constexpr size_t kReadParts = blk::kKeptWorkers;

size_t PartsAtOnce(const blk::Request& request) {
  return request.operation == blk::Operation::kRead && !request.raw ? kReadParts : 1;
}

}  // namespace

// Bytes [begin, begin + size) of the request, on memory of its own.
class LongTransfer::Part final : public Call {
 public:
  Part(std::shared_ptr<LongTransfer> whole, size_t size)
      : Call(whole->completion_), whole_(std::move(whole)), request_(whole_->request_), size_(size) {
    request_.moved = begin_ = whole_->begun_;
    request_.cancel = whole_->under_way_.has_token() ? &whole_->cancel_ : nullptr;
    HoldBy(request_.plan.decided, request_.cancel);
  }
  ~Part() override { DropMemory(); }

  size_t MemoryNeeded() const override { return taken_back() ? 0 : size_; }
  bool Prepare(blk::AlignedBuffer memory) override;
  int Return(napi_env) override;
  bool GiveUp() {
    if (!TakeBack()) return false;
    DropMemory();
    return true;
  }

 private:
  size_t moved() const { return request_.moved - begin_; }
  void DropMemory() { whole_->under_way_->driver->driver.request_memory().Give(std::move(memory_), size_); }
  bool Start(blk::IoWorker& worker) override;
  // Reads what is in memory. -> what is known of the rest.
  Now Try(blk::Lane lane);
  void Work(blk::IoWorker& worker) override;

  const std::shared_ptr<LongTransfer> whole_;
  blk::Request request_;
  size_t begin_ = 0;
  const size_t size_;
  blk::AlignedBuffer memory_;
  Now tried_ = Now::kNotTried;
  blk::StartedRequest started_;  // on a medium that answers later
};

bool LongTransfer::Part::Prepare(blk::AlignedBuffer memory) {
  if (taken_back()) return false;
  memory_ = std::move(memory);
  blk::Status status = blk::Status::Ok();
  if (memory_.data() == nullptr) status = {ENOMEM, blk::Op::kStrategy};
  const bool write = request_.operation == blk::Operation::kWrite;
  if (status.ok() && write && !whole_->view_.CopyTo(memory_.data(), begin_, size_)) {
    status = {EFAULT, blk::Op::kPwrite};
  }
  if (status.ok()) return true;
  // As if it had run and failed.
  Ran ran;
  ran.memory = std::move(memory_);
  ran.size = size_;
  ran.status = status;
  ran.failed_blkno = blk::SectorAt(request_.position);
  if (whole_->Returned(*this, std::move(ran))) sink().CountOut();
  return false;
}

int LongTransfer::Part::Return(napi_env) {
  if (taken_back()) return 0;
  Ran ran{std::move(memory_), size_, moved(), request_.status, request_.injected, request_.failed_blkno};
  if (no_memory()) ran.status = {ENOMEM, blk::Op::kStrategy};
  return whole_->Returned(*this, std::move(ran)) ? 1 : 0;
}

bool LongTransfer::Part::Start(blk::IoWorker& worker) {
  const blk::Device& device = *whole_->under_way_->device;
  if (device.starts().empty()) return false;
  // Pages that are in memory need no start.
  const bool tries = device.tells_memory() && request_.operation == blk::Operation::kRead;
  if (tries && Try(worker.lane()) != Now::kWouldWait) return false;
  uint8_t* const place = memory_.data() + moved();
  if (!device.Starts(whole_->entry_, request_, place, size_ - moved()) || !BeginStart()) return false;
  const auto finished = [](void* self) { static_cast<Part*>(self)->Finished(); };
  started_.Start(whole_->entry_, request_, place, size_ - moved(), finished, this);
  return true;
}

Now LongTransfer::Part::Try(blk::Lane lane) {
  request_.lane = lane;
  request_.nowait = true;
  blk::RunPart(whole_->entry_, request_, memory_.data(), size_);
  request_.nowait = false;
  return tried_ = RunOutcome(request_);
}

void LongTransfer::Part::Work(blk::IoWorker& worker) {
  request_.lane = worker.lane();
  Now now = Now::kUnknown;
  if (request_.operation == blk::Operation::kRead) {
    now = tried_ != Now::kNotTried ? tried_ : Try(worker.lane());
    if (now == Now::kDone) return;
  } else if (request_.durable && begin_ + size_ == request_.length) {
    now = Now::kWouldWait;
  }
  if (now == Now::kWouldWait) worker.WillBlock();
  if (now == Now::kUnknown) worker.MayBlock();
  blk::RunPart(whole_->entry_, request_, memory_.data() + moved(), size_ - moved());
}

LongTransfer::LongTransfer(napi_env env, std::shared_ptr<DeviceState> device, const blk::Request& request,
                           blk::Strategy& entry, napi_value view, size_t view_offset, uint64_t token)
    : env_(env),
      under_way_(std::move(device), token, this),
      completion_(*EnvState::Of(env).completion),
      request_(request),
      entry_(entry),
      view_(env, view, view_offset),
      start_(request.moved),
      begun_(request.moved) {
  view_.Keep();
}

napi_value LongTransfer::Submit(napi_env env, const std::shared_ptr<DeviceState>& device, const blk::Request& request,
                                blk::Strategy& entry, Now now, napi_value view, size_t view_offset, uint64_t token) {
  // The parts keep it; this holds it until they do.
  const std::shared_ptr<LongTransfer> whole(new LongTransfer(env, device, request, entry, view, view_offset, token));
  napi_value promise = nullptr;
  napi_create_promise(env, &whole->deferred_, &promise);
  whole->completion_.CountIn();
  whole->GoOn(now);
  if (whole->SettleIfOver()) whole->completion_.CountOut();
  return promise;
}

void LongTransfer::PutParts() {
  const size_t most = PartsAtOnce(request_);
  while (!over_ && slots_.size() < most && begun_ < request_.length) {
    if (!slots_.empty() && under_way_->driver->intake.waiting()) return;
    if (!blk::HadMemory([&] { PutPart(); })) Stop({ENOMEM, blk::Op::kStrategy});
  }
}

void LongTransfer::PutPart() {
  const size_t size = std::min(request_.length - begun_, PartOf(request_.operation));
  // What has begun goes on before others of its device begin.
  const auto place = begun_ == start_ ? blk::Intake::Place::kBehind : blk::Intake::Place::kAhead;
  auto part = std::make_unique<Part>(shared_from_this(), size);
  slots_.emplace_back().part = part.get();
  begun_ += size;
  std::unique_ptr<blk::IntakeTask> task = std::move(part);
  int err = 0;
  switch (completion_.Put(under_way_->driver->intake, under_way_->flow, task, place)) {
    case blk::Intake::Outcome::kTaken:
    case blk::Intake::Outcome::kEnded: return;
    case blk::Intake::Outcome::kNoMemory: err = ENOMEM; break;
    case blk::Intake::Outcome::kNoThreads: err = EAGAIN; break;
    case blk::Intake::Outcome::kStopped: err = EBADF; break;
  }
  slots_.pop_back();
  Stop({err, blk::Op::kStrategy});
}

bool LongTransfer::Returned(Part& part, Ran ran) {
  const auto own = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.part == &part; });
  own->part = nullptr;
  own->ran = std::move(ran);
  while (!over_ && !slots_.empty() && slots_.front().ran) {
    TakeIn(*slots_.front().ran);
    GiveMemory(*slots_.front().ran);
    slots_.pop_front();
  }
  PutParts();
  return SettleIfOver();
}

void LongTransfer::GoOn(Now now) {
  // What has begun goes on before others of its device begin.
  const auto place = begun_ == start_ ? blk::Intake::Place::kBehind : blk::Intake::Place::kAhead;
  if (now != Now::kNotTried || !completion_.AwaitTurn(&under_way_->flow, shared_from_this(), place)) PutParts();
}

int LongTransfer::Turn() {
  // It was cancelled meanwhile.
  if (over_) return 0;
  const size_t left = request_.length - request_.moved;
  uint8_t* const data = view_.Bytes(request_.moved, left);
  if (data == nullptr) {
    Stop({EFAULT, blk::Op::kPread});
  } else {
    const bool may_run = !under_way_->lent.Meets(data, left);
    const auto may_go_on = [&](size_t bytes) { return may_run && under_way_->driver->MayAnswerNow(bytes); };
    const Now now = RunNowShared(under_way_->driver->driver.shared_work(), entry_, request_, data, may_go_on);
    begun_ = request_.moved;
    if (now == Now::kDone) Stop(request_.status);
    GoOn(may_run ? now : Now::kUnknown);
  }
  return SettleIfOver() ? 1 : 0;
}

void LongTransfer::TakeIn(const Ran& ran) {
  const bool read = request_.operation == blk::Operation::kRead;
  if (read && ran.moved > 0 && !view_.CopyFrom(ran.memory.data(), request_.moved, ran.moved)) {
    return Stop({EFAULT, blk::Op::kPread});
  }
  request_.moved += ran.moved;
  request_.injected = ran.injected;
  request_.failed_blkno = ran.failed_blkno;
  const bool went_through = ran.status.ok() && ran.moved == ran.size;
  if (!went_through || request_.moved == request_.length) Stop(ran.status);
}

void LongTransfer::Stop(blk::Status status) {
  over_ = true;
  request_.status = status;
  for (Slot& slot : slots_) {
    if (slot.part != nullptr && slot.part->GiveUp()) slot.back = true;
  }
}

bool LongTransfer::SettleIfOver() {
  const auto runs = [](const Slot& slot) { return !slot.ran && !slot.back; };
  if (settled_ || !over_ || std::any_of(slots_.begin(), slots_.end(), runs)) return false;
  settled_ = true;
  for (Slot& slot : slots_) {
    if (slot.ran) GiveMemory(*slot.ran);
  }
  slots_.clear();
  view_.Drop();
  blk::CompleteRequest(request_);
  // First the bookkeeping: what runs when the promise resolves may close the device, and must not find this there.
  under_way_.End();
  napi_resolve_deferred(env_, deferred_, ToOutcome(env_, request_));
  return true;
}

void LongTransfer::Cancel(napi_env) {
  // Relaxed: the flag carries nothing but itself, and a worker may see it late.
  cancel_.store(true, std::memory_order_relaxed);
  if (!over_) Stop({ECANCELED, blk::Op::kStrategy});
  under_way_->device->LetGoCancelled();
  if (SettleIfOver()) completion_.CountOut();
}

}  // namespace blk_addon
