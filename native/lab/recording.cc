#include "lab/recording.h"

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "core/base/no_memory.h"

namespace blk::lab {
namespace {

uint64_t Now() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

Kind KindOf(Operation operation) {
  switch (operation) {
    case Operation::kFlush: return Kind::kFlush;
    case Operation::kDiscard: return Kind::kDiscard;
    case Operation::kZero: return Kind::kZero;
    default: return Kind::kWrite;
  }
}

}  // namespace

// What a disk tells of its requests. It does not keep the recording, which ends it.
class Recording::Log final : public RequestLog {
 public:
  Log(std::weak_ptr<Recording> recording, uint16_t domain) : recording_(std::move(recording)), domain_(domain) {}

  void Begun(Piece& piece, MediumOffset at, bool unsafe) override {
    if (const auto recording = recording_.lock()) recording->Begun(domain_, *this, piece, at, unsafe);
  }
  // What has begun keeps the recording.
  void Ended(Piece& piece) override {
    if (const auto recording = recording_.lock()) recording->Ended(piece);
  }
  void GroupEnded(BatchGroup& group, Status synced) override {
    if (const auto recording = recording_.lock()) recording->GroupEnded(group, synced);
  }
  int32_t stack() const override {
    const auto recording = recording_.lock();
    return recording ? recording->stack_.load(std::memory_order_relaxed) : -1;
  }
  bool live() const override {
    const auto recording = recording_.lock();
    return recording && !recording->stopped_.load(std::memory_order_acquire);
  }
  bool allows_stores() const override {
    const auto recording = recording_.lock();
    return !recording || recording->setting_.compares;
  }
  Status Lent(const LentStores& stores) override {
    const auto recording = recording_.lock();
    return recording ? recording->Lent(domain_, stores) : Status::Ok();
  }
  void Returned(const LentStores& stores) override {
    if (const auto recording = recording_.lock()) recording->Returned(stores);
  }

 private:
  const std::weak_ptr<Recording> recording_;
  const uint16_t domain_;
};

Recording::~Recording() {
  for (const auto& end : ends_) end();
}

uint16_t Recording::AddDomain(std::unique_ptr<Base> base) {
  bases_.push_back(std::move(base));
  const auto domain = static_cast<uint16_t>(bases_.size() - 1);
  logs_.push_back(std::make_shared<Log>(weak_from_this(), domain));
  return domain;
}

Status Recording::AddPart(const Part& part) {
  for (const Part& other : parts_) {
    if (other.domain == part.domain && !other.span.CutTo(part.span).empty()) return {EBUSY, Op::kTrack};
  }
  parts_.push_back(part);
  return Status::Ok();
}

std::shared_ptr<RequestLog> Recording::LogOf(uint16_t domain) { return logs_[domain]; }

void Recording::Fail(Status status) {
  MutexLock lock(mu_);
  if (failed_.ok()) failed_ = status;
}

void Recording::Keep() {
  if (under_way_++ == 0) self_ = shared_from_this();
}

std::shared_ptr<Recording> Recording::LetGo() { return --under_way_ == 0 ? std::move(self_) : nullptr; }

Event* Recording::NewEvent() {
  if (count_ / kChunk == chunks_.size()) chunks_.push_back(std::make_unique<std::array<Event, kChunk>>());
  Event* const event = &(*chunks_[count_ / kChunk])[count_ % kChunk];
  count_++;
  version_++;
  return event;
}

Result<const uint8_t*> Recording::DataOf(const Piece& piece) {
  if (piece.operation == Operation::kWrite) return store_.Keep(piece.data, piece.size);
  if (piece.operation != Operation::kCopy) return static_cast<const uint8_t*>(nullptr);
  // By what the source holds now: nobody tells what was copied.
  std::vector<uint8_t> bytes(piece.size);
  const Moved read = piece.source->channel->Read(piece.source->at, bytes.data(), bytes.size(), {});
  if (!read.status.ok()) return read.status;
  return store_.Keep(bytes.data(), bytes.size());
}

Event* Recording::MakeEvents(uint16_t domain, const Piece& piece, MediumOffset at, const uint8_t* data) {
  const bool flush = piece.operation == Operation::kFlush;
  const MediumSpan span{at, {at.value + piece.size}};
  Event* first = nullptr;
  for (size_t i = 0; i < parts_.size(); i++) {
    if (parts_[i].domain != domain) continue;
    const MediumSpan met = flush ? parts_[i].span : span.CutTo(parts_[i].span);
    if (met.empty() && !flush) continue;
    Event* const event = NewEvent();
    event->kind = KindOf(piece.operation);
    event->device = static_cast<uint16_t>(i);
    event->stack = piece.stack;
    event->at = flush ? 0 : met.begin.value;
    event->length = flush ? 0 : met.end.value - met.begin.value;
    event->data = data == nullptr ? nullptr : data + (met.begin.value - at.value);
    event->next = first;
    first = event;
    if (flush) break;
  }
  return first;
}

// The entries of a group begin together.
uint64_t Recording::NumberOf(Log& log, const Piece& piece) {
  BatchGroup* const group = piece.group;
  if (group == nullptr) return NextNumber();
  if (group->log == nullptr) {
    group->log = &log;
    group->number = next_;
    next_ += group->entries;
    Keep();  // until GroupEnded()
  }
  const uint64_t number = group->number + (piece.entry - group->first);
  last_ = std::max(last_, number);
  return number;
}

void Recording::Begun(uint16_t domain, Log& log, Piece& piece, MediumOffset at, bool unsafe) {
  // What was stored before a flush begins is what it is about; the entries of a batch have begun with the first.
  const bool opens = piece.group != nullptr && piece.group->log == nullptr;
  if (piece.operation == Operation::kFlush || opens) Compare();
  Status status;
  const bool had = HadMemory([&] {
    if (piece.operation != Operation::kFlush) status = bases_[domain]->Preserve(at.value, piece.size, store_);
    if (stopped_.load(std::memory_order_acquire) || !status.ok()) return;
    const auto data = DataOf(piece);
    status = data.status();
    if (!status.ok()) return;
    const uint64_t now = Now();
    MutexLock lock(mu_);
    Event* const events = MakeEvents(domain, piece, at, data.value());
    if (events == nullptr) return;
    // A batch that began under another log shares no number and no sync with what it does under this one.
    const bool foreign = piece.group != nullptr && piece.group->log != nullptr && piece.group->log != &log;
    const uint64_t number = foreign ? NextNumber() : NumberOf(log, piece);
    for (Event* event = events; event != nullptr; event = event->next) {
      event->begin = number;
      event->begun_ns = now;
      if (unsafe || (piece.operation == Operation::kFlush && piece.for_group)) {
        event->promise = Promise::kNothing;
      } else if (Mutates(piece.operation) && (piece.durable || (piece.by_group && !foreign))) {
        event->promise = Promise::kDurable;
      }
    }
    Keep();
    piece.logged = &log;
    piece.logged_as = events;
  });
  if (!had) status = {ENOMEM, Op::kTrack};
  if (!status.ok()) Fail(status);
}

// `moved` bytes of the piece, which the events are parts of, side by side.
void Recording::SetMoved(Event* events, uint64_t moved, int err) {
  version_++;
  uint64_t begin = kNever;
  for (Event* event = events; event != nullptr; event = event->next) begin = std::min(begin, event->at);
  for (Event* event = events; event != nullptr; event = event->next) {
    const uint64_t skip = event->at - begin;
    event->moved = event->kind == Kind::kFlush ? 0 : std::min(event->length, moved > skip ? moved - skip : 0);
    event->err = err;
  }
}

void Recording::Acknowledge(Event* events, uint64_t moved, int err, uint64_t now) {
  SetMoved(events, moved, err);
  const uint64_t number = NextNumber();
  for (Event* event = events; event != nullptr; event = event->next) {
    event->end = number;
    event->ended_ns = now;
  }
}

void Recording::EndParts(const Piece& piece, Event* events) {
  auto& waiting = parts_under_way_;
  // A request that was here before and never came to its end is over.
  if (piece.first) std::erase_if(waiting, [&](const auto& entry) { return entry.first == piece.whole; });
  if (!piece.last) {
    for (Event* event = events; event != nullptr; event = event->next) event->moved = piece.moved;
    if (piece.status.ok()) {
      waiting.emplace_back(piece.whole, events);
    } else {
      Acknowledge(events, piece.moved, piece.status.err, Now());
    }
    return;
  }
  const uint64_t now = Now();
  Acknowledge(events, piece.moved, piece.status.err, now);
  const uint64_t number = last_;
  for (const auto& [whole, before] : waiting) {
    if (whole != piece.whole) continue;
    for (Event* event = before; event != nullptr; event = event->next) {
      event->moved = event->length;
      event->err = piece.status.err;
      event->end = number;
      event->ended_ns = now;
    }
  }
  std::erase_if(waiting, [&](const auto& entry) { return entry.first == piece.whole; });
}

void Recording::Ended(Piece& piece) {
  auto* const events = static_cast<Event*>(std::exchange(piece.logged_as, nullptr));
  const RequestLog* const log = std::exchange(piece.logged, nullptr);
  const bool by_group = piece.by_group && piece.group->log == log;
  std::shared_ptr<Recording> gone;  // not under the lock
  MutexLock lock(mu_);
  const bool durable = Mutates(piece.operation) && (piece.durable || by_group);
  if (durable && by_group && piece.status.ok()) {
    // With the sync of its group. The lists of events are one behind the other.
    SetMoved(events, piece.moved, 0);
    Event* last = events;
    while (last->next != nullptr) last = last->next;
    last->next = static_cast<Event*>(piece.group->waiting);
    piece.group->waiting = events;
  } else if (durable && !by_group && piece.whole != nullptr && !(piece.first && piece.last)) {
    if (!HadMemory([&]() REQUIRES(mu_) { EndParts(piece, events); }) && failed_.ok()) failed_ = {ENOMEM, Op::kTrack};
  } else {
    Acknowledge(events, piece.moved, piece.status.err, Now());
  }
  gone = LetGo();
  lock.Unlock();
}

void Recording::GroupEnded(BatchGroup& group, Status synced) {
  std::shared_ptr<Recording> gone;
  MutexLock lock(mu_);
  auto* event = static_cast<Event*>(std::exchange(group.waiting, nullptr));
  group.log = nullptr;
  group.number = 0;
  const uint64_t number = event == nullptr ? 0 : NextNumber();
  version_++;
  const uint64_t now = Now();
  for (; event != nullptr; event = event->next) {
    event->end = number;
    event->err = synced.err;
    event->ended_ns = now;
  }
  gone = LetGo();
  lock.Unlock();
}

uint64_t Recording::Mark() {
  Compare();
  MutexLock lock(mu_);
  Event* const event = NewEvent();
  event->kind = Kind::kMark;
  event->begin = NextNumber();
  event->end = event->begin;
  event->begun_ns = event->ended_ns = Now();
  marks_++;
  return event->begin;
}

}  // namespace blk::lab
