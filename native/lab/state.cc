#include "lab/state.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/no_memory.h"
#include "core/host/transfer_loop.h"

namespace blk::lab {

State::State(std::shared_ptr<const Choice> choice)
    : choice_(std::move(choice)), model_(*choice_->cut().model), room_(static_cast<size_t>(model_.unit())) {}

uint64_t State::SizeOf(uint16_t device) const {
  const MediumSpan& span = model_.recording().parts()[device].span;
  return span.end.value - span.begin.value;
}

void State::Note(const Atom& atom) {
  if (noted_.empty()) noted_.assign((model_.atoms().size() + 63) / 64, 0);
  const auto index = static_cast<uint32_t>(&atom - model_.atoms().data());
  uint64_t& word = noted_[index / 64];
  const uint64_t bit = uint64_t{1} << (index % 64);
  if ((word & bit) != 0) return;
  word |= bit;
  reads_.push_back({index, choice_->ContentOf(atom)});
}

Status State::FillAtom(const Atom& atom, uint8_t* bytes, bool note) {
  if (note) Note(atom);
  return choice_->Fill(atom, bytes) ? Status::Ok() : Status{EIO, Op::kPread};
}

Status State::ReadAtom(uint16_t device, uint64_t index, MediumSpan span, uint8_t* to) {
  const uint64_t begin = index * model_.unit();
  const auto size = static_cast<size_t>(span.end.value - span.begin.value);
  const Atom* const atom = model_.Find(device, index);
  const auto written = written_.find(KeyOf(device, index));
  if (written != written_.end()) {
    if (written->second.partly && atom != nullptr) Note(*atom);
    std::memcpy(to, written->second.bytes.data() + (span.begin.value - begin), size);
    return Status::Ok();
  }
  const Status filled = FillAtom(*atom, room_.data(), true);
  if (filled.ok()) std::memcpy(to, room_.data() + (span.begin.value - begin), size);
  return filled;
}

// The base of what nobody has written, in runs.
Status State::ReadAll(uint16_t device, MediumSpan span, uint8_t* to) {
  const uint64_t unit = model_.unit();
  Base& base = model_.recording().BaseOf(model_.recording().parts()[device]);
  uint64_t plain = span.begin.value;  // from here on it is the base
  const auto end_run = [&](uint64_t at) {
    if (at == plain) return Status::Ok();
    return base.Read(plain, to + (plain - span.begin.value), static_cast<size_t>(at - plain));
  };
  for (uint64_t at = span.begin.value; at < span.end.value;) {
    const uint64_t index = at / unit;
    const uint64_t stop = std::min(span.end.value, (index + 1) * unit);
    const bool changed = model_.Find(device, index) != nullptr ||
                         (!written_.empty() && written_.find(KeyOf(device, index)) != written_.end());
    if (changed) {
      Status status = end_run(at);
      if (status.ok()) status = ReadAtom(device, index, {{at}, {stop}}, to + (at - span.begin.value));
      if (!status.ok()) return status;
      plain = stop;
    }
    at = stop;
  }
  return end_run(span.end.value);
}

Status State::ReadBytes(uint16_t device, uint64_t at, uint8_t* data, size_t size) {
  const uint64_t begin = model_.recording().parts()[device].span.begin.value + at;
  MutexLock lock(mu_);
  return ReadAll(device, {{begin}, {begin + size}}, data);
}

Status State::WriteBytes(uint16_t device, uint64_t at, const uint8_t* data, size_t size) {
  const uint64_t unit = model_.unit();
  const MediumSpan all = model_.recording().parts()[device].span;
  const uint64_t begin = all.begin.value + at;
  MutexLock lock(mu_);
  for (uint64_t from = begin; from < begin + size;) {
    const uint64_t index = from / unit;
    const MediumSpan atom = MediumSpan{{index * unit}, {(index + 1) * unit}}.CutTo(all);
    const uint64_t stop = std::min(begin + size, (index + 1) * unit);
    auto written = written_.find(KeyOf(device, index));
    if (written == written_.end()) {
      Written fresh;
      fresh.bytes.resize(static_cast<size_t>(unit));
      fresh.partly = from > atom.begin.value || stop < atom.end.value;
      if (fresh.partly) {
        Status filled;
        if (const Atom* const recorded = model_.Find(device, index)) {
          filled = FillAtom(*recorded, fresh.bytes.data(), false);
        } else {
          filled = model_.recording()
                       .BaseOf(model_.recording().parts()[device])
                       .Read(atom.begin.value, fresh.bytes.data() + (atom.begin.value - index * unit),
                             static_cast<size_t>(atom.end.value - atom.begin.value));
        }
        if (!filled.ok()) return filled;
      }
      written = written_.emplace(KeyOf(device, index), std::move(fresh)).first;
    }
    uint8_t* const to = written->second.bytes.data() + (from - index * unit);
    const auto bytes = static_cast<size_t>(stop - from);
    if (data == nullptr) {
      std::memset(to, 0, bytes);
    } else {
      std::memcpy(to, data + (from - begin), bytes);
    }
    from = stop;
  }
  return Status::Ok();
}

bool State::written() const {
  MutexLock lock(mu_);
  return !written_.empty();
}

std::vector<State::Read> State::reads() const {
  MutexLock lock(mu_);
  return reads_;
}

void State::Release() {
  MutexLock lock(mu_);
  written_ = {};
  reads_ = {};
  noted_ = {};
}

namespace {

class StateChannel final : public Channel {
 public:
  explicit StateChannel(std::shared_ptr<StateStore> store) : store_(std::move(store)) {}

  // Only the base is ever read from a disk, which nobody can tell beforehand.
  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) override {
    return Move(Op::kPread, at, size, rules, [&](uint64_t from, size_t done, size_t n) {
      return store_->state->ReadBytes(store_->device, from, static_cast<uint8_t*>(data) + done, n);
    });
  }
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) override {
    return Move(Op::kPwrite, at, size, rules, [&](uint64_t from, size_t done, size_t n) {
      return store_->state->WriteBytes(store_->device, from, static_cast<const uint8_t*>(data) + done, n);
    });
  }
  Moved Zero(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    if (rules.fast) return {0, {EOPNOTSUPP, Op::kZero}};
    return Move(Op::kZero, at, static_cast<size_t>(size), rules, [&](uint64_t from, size_t, size_t n) {
      return store_->state->WriteBytes(store_->device, from, nullptr, n);
    });
  }
  Status Sync() override { return Status::Ok(); }

 private:
  template <typename MoveFn>
  Moved Move(Op op, MediumOffset at, size_t size, const PieceRules& rules, MoveFn&& move) {
    if (rules.nowait) return {0, {EOPNOTSUPP, op}};
    const uint64_t rest = at.value < store_->size ? store_->size - at.value : 0;
    const size_t inside = static_cast<size_t>(std::min<uint64_t>(size, rest));
    Moved moved;
    while (moved.status.ok() && moved.bytes < inside) {
      if (IsCancelled(rules.cancel)) return {moved.bytes, {ECANCELED, op}};
      const size_t n = std::min<size_t>(inside - moved.bytes, kSegmentSize);
      if (!HadMemory([&] { moved.status = move(at.value + moved.bytes, moved.bytes, n); })) {
        moved.status = {ENOMEM, op};
      }
      if (moved.status.ok()) moved.bytes += n;
    }
    if (moved.status.ok() && moved.bytes < size) moved.status = {EIO, op};
    return moved;
  }

  const std::shared_ptr<StateStore> store_;
};

}  // namespace

std::unique_ptr<Channel> StateMedium::MakeChannel() { return std::make_unique<StateChannel>(of_); }

}  // namespace blk::lab
