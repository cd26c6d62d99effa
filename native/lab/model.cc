#include "lab/model.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/no_memory.h"

namespace blk::lab {
namespace {

// Where the bytes come from that a discard leaves.
constexpr uint32_t kDiscarded = 1;

}  // namespace

Model::Model(std::shared_ptr<Recording> recording, Setting setting)
    : recording_(std::move(recording)),
      setting_(std::move(setting)),
      unit_(recording_->setting().atomic_unit),
      contents_(static_cast<size_t>(unit_)) {}

Result<std::shared_ptr<const Model>> Model::Make(std::shared_ptr<Recording> recording, Setting setting) {
  Status status = recording->status();
  if (!status.ok()) return status;
  std::shared_ptr<Model> model;
  const bool had = HadMemory([&] {
    model.reset(new Model(std::move(recording), std::move(setting)));
    // The end first: events that come meanwhile have larger numbers.
    model->end_ = model->recording_->end();
    model->events_ = model->recording_->Events();
    while (!model->events_.empty() && model->events_.back().begin >= model->end_) model->events_.pop_back();
    for (Event& event : model->events_) {
      if (event.end != kNever && event.end >= model->end_) event.end = kNever;
      model->has_stores_ = model->has_stores_ || event.stores;
    }
    for (const uint32_t ignored : model->setting_.ignored) {
      if (ignored >= model->events_.size()) continue;
      Event& event = model->events_[ignored];
      // A write is covered by flushes still.
      event.promise = event.writes() ? Promise::kPlain : Promise::kNothing;
    }
    model->MakeVersions();
    status = model->FillIn();
    model->FindCuts();
  });
  if (!had) return Status{ENOMEM, Op::kTrack};
  if (!status.ok()) return status;
  return std::shared_ptr<const Model>(std::move(model));
}

std::vector<Model::Flushes> Model::FlushesByDomain() const {
  size_t domains = 0;
  for (const Part& part : recording_->parts()) domains = std::max<size_t>(domains, part.domain + size_t{1});
  std::vector<Flushes> flushes(domains);
  for (uint32_t i = 0; i < events_.size(); i++) {
    const Event& event = events_[i];
    if (event.kind != Kind::kFlush || event.end == kNever) continue;
    Flushes& of = flushes[recording_->parts()[event.device].domain];
    const Flush flush{event.begin, event.end};
    if (event.err != 0) {
      // One that was interrupted has told nothing: the next one is about the same.
      if (event.err != EINTR) of.failed.push_back(flush);
    } else if (event.promise == Promise::kPlain) {
      of.good.push_back(flush);
    }
  }
  return flushes;
}

uint64_t Model::CoverageOf(uint32_t i, const Flushes& flushes) const {
  const Event& event = events_[i];
  if (event.end == kNever) return kNever;
  if (setting_.process) return event.end;
  if (event.promise == Promise::kNothing) return kNever;
  uint64_t covered = kNever;
  if (event.promise == Promise::kDurable && event.err == 0) covered = event.end;
  const auto behind = [&](const Flush& flush) { return flush.begin <= event.end; };
  // What a flush that failed was about is in no later one.
  uint64_t lost = kNever;
  for (auto at = std::partition_point(flushes.failed.begin(), flushes.failed.end(), behind); at != flushes.failed.end();
       ++at) {
    if (at->begin > covered) break;
    lost = std::min(lost, at->end);
  }
  for (auto at = std::partition_point(flushes.good.begin(), flushes.good.end(), behind); at != flushes.good.end();
       ++at) {
    if (at->begin >= covered || at->begin > lost) break;
    covered = std::min(covered, at->end);
  }
  return covered;
}

void Model::AddVersions(uint32_t event, uint64_t from, uint64_t to, uint64_t covered, std::vector<Made>& made) const {
  const Event& of = events_[event];
  uint64_t first = from / unit_;
  uint64_t stop = from < to ? (to - 1) / unit_ + 1 : first;
  if (of.kind == Kind::kDiscard) {
    // Whole units alone.
    first = (from + unit_ - 1) / unit_;
    stop = to / unit_;
  }
  for (uint64_t index = first; index < stop; index++) {
    Version version;
    version.begin = of.begin;
    version.end = of.end;
    version.covered = covered;
    version.event = event;
    if (of.kind == Kind::kDiscard && setting_.discards_any) {
      version.garbage = true;
      made.push_back({KeyOf(of.device, index), version});
      version.garbage = false;
    }
    made.push_back({KeyOf(of.device, index), version});
  }
  if (!setting_.collateral || of.kind == Kind::kDiscard || from >= to) return;
  const MediumSpan& part = recording_->parts()[of.device].span;
  const auto add = [&](uint64_t index) {
    if (index * unit_ < part.end.value && (index + 1) * unit_ > part.begin.value) {
      made.push_back({KeyOf(of.device, index), {}});
    }
  };
  // The neighbours of both ends: those inside are written themselves.
  if (of.at % unit_ != 0 && first > 0) add(first - 1);
  if (of.at % unit_ != 0) add(first + 1);
  if ((of.at + of.length) % unit_ != 0) add(stop);
  if ((of.at + of.length) % unit_ != 0 && stop > 1) add(stop - 2);
}

void Model::MakeVersions() {
  const std::vector<Flushes> flushes = FlushesByDomain();
  std::vector<Made> made;
  for (uint32_t i = 0; i < events_.size(); i++) {
    const Event& event = events_[i];
    if (!event.writes()) continue;
    const uint64_t covered = CoverageOf(i, flushes[recording_->parts()[event.device].domain]);
    const uint64_t acknowledged = event.end == kNever ? event.at : event.at + event.moved;
    // A discard that has told nobody has done nothing.
    const bool all = event.end == kNever || event.err != 0;
    AddVersions(i, event.at, acknowledged, covered, made);
    if (all) AddVersions(i, acknowledged, event.at + event.length, kNever, made);
  }
  std::stable_sort(made.begin(), made.end(), [](const Made& a, const Made& b) { return a.key < b.key; });
  versions_.reserve(made.size() + made.size() / 4);
  for (const Made& one : made) {
    const uint64_t index = one.key & ((uint64_t{1} << 48) - 1);
    const auto device = static_cast<uint16_t>(one.key >> 48);
    if (atoms_.empty() || atoms_.back().index != index || atoms_.back().device != device) {
      atoms_.push_back({device, index, static_cast<uint32_t>(versions_.size()), 1});
      places_[one.key] = static_cast<uint32_t>(atoms_.size() - 1);
      versions_.push_back({});
      versions_.back().atom = static_cast<uint32_t>(atoms_.size() - 1);
    }
    if (one.version.begin == 0) continue;
    // Both parts of one that failed half-way, in one atom: by what was acknowledged nothing is sure of it.
    if (versions_.back().begin == one.version.begin && versions_.back().event == one.version.event &&
        versions_.back().garbage == one.version.garbage) {
      versions_.back().covered = kNever;
      continue;
    }
    versions_.push_back(one.version);
    versions_.back().atom = static_cast<uint32_t>(atoms_.size() - 1);
    atoms_.back().count++;
  }
  Supersede();
  event_first_.assign(events_.size() + 1, 0);
  for (const Version& version : versions_) {
    if (version.begin != 0) event_first_[version.event + 1]++;
  }
  for (size_t i = 0; i < events_.size(); i++) event_first_[i + 1] += event_first_[i];
  by_event_.resize(event_first_.back());
  std::vector<size_t> next(event_first_.begin(), event_first_.end() - 1);
  live_until_.assign(events_.size(), 0);
  for (uint32_t i = 0; i < versions_.size(); i++) {
    const Version& version = versions_[i];
    if (version.begin == 0) continue;
    by_event_[next[version.event]++] = i;
    live_until_[version.event] = std::max(live_until_[version.event], std::min(version.superseded, version.since));
  }
  for (size_t i = 1; i < live_until_.size(); i++) live_until_[i] = std::max(live_until_[i], live_until_[i - 1]);
}

void Model::Supersede() {
  std::vector<uint64_t> first_covered;
  for (const Atom& atom : atoms_) {
    Version* const versions = &versions_[atom.first];
    // Of the versions from each on, the first event that covers one.
    first_covered.assign(atom.count + 1, kNever);
    for (uint32_t i = atom.count; i-- > 1;) first_covered[i] = std::min(first_covered[i + 1], versions[i].covered);
    uint64_t since = 0;
    for (uint32_t i = 0; i < atom.count; i++) {
      const auto* const next = std::partition_point(
          versions + i, versions + atom.count, [&](const Version& other) { return other.begin <= versions[i].end; });
      versions[i].superseded = first_covered[static_cast<size_t>(next - versions)];
      versions[i].since = since;
      since = std::max(since, versions[i].superseded);
    }
  }
}

bool Model::IsPartial(const Version& version) const {
  if (version.begin == 0) return false;
  const MediumSpan span = SpanOf(atoms_[version.atom]);
  const Event& event = events_[version.event];
  return event.at > span.begin.value || event.at + event.length < span.end.value;
}

MediumSpan Model::SpanOf(const Atom& atom) const {
  const MediumSpan all{{atom.index * unit_}, {(atom.index + 1) * unit_}};
  return all.CutTo(recording_->parts()[atom.device].span);
}

Status Model::FillInAtom(const Atom& atom, std::vector<uint8_t>& bytes) {
  const uint64_t at = atom.index * unit_;
  // Zeros outside of the device, where nothing of it is.
  const MediumSpan span = SpanOf(atom);
  std::fill(bytes.begin(), bytes.end(), uint8_t{0});
  Base& base = recording_->BaseOf(recording_->parts()[atom.device]);
  const size_t inside = static_cast<size_t>(span.end.value - span.begin.value);
  const Status read = base.Read(span.begin.value, bytes.data() + (span.begin.value - at), inside);
  if (!read.ok()) return read;
  Version* const versions = &versions_[atom.first];
  versions[0].content = contents_.InternCopy(bytes.data());
  for (uint32_t i = 1; i < atom.count; i++) {
    const Event& event = events_[versions[i].event];
    if (versions[i].garbage) {
      FillGarbage(kDiscarded, bytes.data(), bytes.size());
      versions[i].content = contents_.InternCopy(bytes.data());
      continue;
    }
    const uint64_t begin = std::max(event.at, at);
    const uint64_t end = std::min(event.at + event.length, at + unit_);
    if (event.kind == Kind::kWrite && begin == at && end == at + unit_) {
      versions[i].content = contents_.Intern(event.data + (begin - event.at));
      continue;
    }
    std::memcpy(bytes.data(), contents_[versions[i - 1].content], bytes.size());
    uint8_t* const to = bytes.data() + (begin - at);
    if (event.kind == Kind::kWrite) {
      std::memcpy(to, event.data + (begin - event.at), static_cast<size_t>(end - begin));
    } else {
      std::memset(to, 0, static_cast<size_t>(end - begin));
    }
    versions[i].content = contents_.InternCopy(bytes.data());
  }
  return Status::Ok();
}

Status Model::FillIn() {
  std::vector<uint8_t> bytes(static_cast<size_t>(unit_));
  for (const Atom& atom : atoms_) {
    const Status filled = FillInAtom(atom, bytes);
    if (!filled.ok()) return filled;
  }
  return Status::Ok();
}

void Model::FindCuts() {
  for (const Event& event : events_) {
    if (event.kind != Kind::kMark) continue;
    marks_.push_back(event.begin);
    cuts_.push_back(event.begin);
  }
  for (const Version& version : versions_) {
    if (version.covered != kNever) cuts_.push_back(version.covered);
  }
  cuts_.push_back(end_);
  std::sort(cuts_.begin(), cuts_.end());
  cuts_.erase(std::unique(cuts_.begin(), cuts_.end()), cuts_.end());
}

// Of those before which all are superseded, the last: the first that is not.
const Version& Model::FloorOf(const Atom& atom, uint64_t cut) const {
  const auto versions = VersionsOf(atom);
  const auto behind = std::partition_point(versions.begin() + 1, versions.end(),
                                           [&](const Version& version) { return version.since < cut; });
  return *(behind - 1);
}

size_t Model::FirstLive(uint64_t cut) const {
  const auto first =
      std::partition_point(live_until_.begin(), live_until_.end(), [&](uint64_t until) { return until < cut; });
  return static_cast<size_t>(first - live_until_.begin());
}

size_t Model::MarksBefore(uint64_t cut) const {
  return static_cast<size_t>(std::lower_bound(marks_.begin(), marks_.end(), cut) - marks_.begin());
}

size_t Model::EventsBefore(uint64_t cut) const {
  const auto stop =
      std::partition_point(events_.begin(), events_.end(), [&](const Event& event) { return event.begin < cut; });
  return static_cast<size_t>(stop - events_.begin());
}

}  // namespace blk::lab
