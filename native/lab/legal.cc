#include "lab/legal.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lab/cut.h"

namespace blk::lab {
namespace {

constexpr size_t kAtOnce = 64 * 1024;

bool IsLegalAtom(const Model& model, const Atom& atom, const uint8_t* bytes, uint64_t cut) {
  const MediumSpan span = model.SpanOf(atom);
  const size_t skip = static_cast<size_t>(span.begin.value - atom.index * model.unit());
  const auto size = static_cast<size_t>(span.end.value - span.begin.value);
  const auto versions = model.VersionsOf(atom);
  // Whether some legal version has these bytes of it.
  const auto is_legal = [&](size_t from, size_t to) {
    return std::any_of(versions.begin(), versions.end(), [&](const Version& version) {
      const uint8_t* const content = model.contents()[version.content] + skip;
      return version.LegalAt(cut) && std::memcmp(content + from, bytes + from, to - from) == 0;
    });
  };
  const bool stored = std::any_of(versions.begin(), versions.end(), [&](const Version& version) {
    return version.begin != 0 && version.LegalAt(cut) && model.events()[version.event].stores;
  });
  if (!stored) return is_legal(0, size);
  for (size_t from = 0; from < size; from += kWord) {
    if (!is_legal(from, std::min(from + kWord, size))) return false;
  }
  return true;
}

// Of [at, stop), which nobody has written.
Result<bool> IsBase(Base& base, uint64_t at, uint64_t stop, const uint8_t* bytes, std::vector<uint8_t>& room) {
  for (; at < stop; at += kAtOnce, bytes += kAtOnce) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(kAtOnce, stop - at));
    const Status read = base.Read(at, room.data(), size);
    if (!read.ok()) return read;
    if (std::memcmp(room.data(), bytes, size) != 0) return false;
  }
  return true;
}

}  // namespace

Result<bool> IsLegal(const Model& model, const std::vector<std::span<const uint8_t>>& images, uint64_t cut) {
  const auto& parts = model.recording().parts();
  if (images.size() != parts.size()) return Status{EINVAL, Op::kTrack};
  for (size_t i = 0; i < parts.size(); i++) {
    if (images[i].size() != parts[i].span.end.value - parts[i].span.begin.value) return Status{EINVAL, Op::kTrack};
  }
  std::vector<uint8_t> room(kAtOnce);
  // By device, and ascending, as atoms are.
  auto atom = model.atoms().begin();
  for (size_t i = 0; i < parts.size(); i++) {
    const MediumSpan& span = parts[i].span;
    uint64_t at = span.begin.value;
    for (;; ++atom) {
      const bool more = atom != model.atoms().end() && atom->device == i;
      const MediumSpan next = more ? model.SpanOf(*atom) : MediumSpan{span.end, span.end};
      const auto same = IsBase(model.recording().BaseOf(parts[i]), at, next.begin.value,
                               images[i].data() + (at - span.begin.value), room);
      if (!same.ok() || !same.value()) return same;
      if (!more) break;
      if (!IsLegalAtom(model, *atom, images[i].data() + (next.begin.value - span.begin.value), cut)) return false;
      at = next.end.value;
    }
  }
  return true;
}

std::optional<size_t> DifferOf(const Model& a, const Model& b, uint64_t cut) {
  const auto end = [cut](const Model& model) { return model.EventsBefore(cut); };
  size_t i = 0;
  size_t k = 0;
  for (;; i++, k++) {
    while (i < end(a) && a.events()[i].kind == Kind::kMark) i++;
    while (k < end(b) && b.events()[k].kind == Kind::kMark) k++;
    const bool more_a = i < end(a), more_b = k < end(b);
    if (!more_a && !more_b) return std::nullopt;
    if (more_a != more_b || !SameToDigest(a.events()[i], b.events()[k])) return i;
  }
}

}  // namespace blk::lab
