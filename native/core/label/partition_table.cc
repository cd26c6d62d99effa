#include "core/label/partition_table.h"

#include <algorithm>

#include "core/label/disk_label.h"

namespace blk {
namespace {

// Calls `visit` for every entry of the tree, with its table; a table before what its entries hold.
template <typename Visit>
void ForEachEntry(const PartitionTable& table, Visit&& visit) {
  for (const PartitionEntry& entry : table.partitions) visit(table, entry);
  for (const PartitionEntry& entry : table.partitions) {
    if (entry.table) ForEachEntry(*entry.table, visit);
  }
}

template <typename Matches>
std::optional<FoundPartition> OnlyMatch(const PartitionTable& top, Matches&& matches) {
  std::optional<FoundPartition> found;
  bool unique = true;
  ForEachEntry(top, [&](const PartitionTable& table, const PartitionEntry& entry) {
    if (!matches(entry)) return;
    unique = !found;
    found = FoundPartition{&table, &entry};
  });
  return unique ? found : std::nullopt;
}

void AppendUtf8(std::string& out, char32_t c) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    tail(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

struct Span {
  uint64_t begin = 0;
  uint64_t end = 0;

  // A span without bytes lies in every other.
  bool In(const Span& other) const { return begin >= end || (other.begin <= begin && end <= other.end); }
};
Span SpanOf(const PartitionEntry& entry) { return {entry.start, entry.end()}; }
Span Shared(const PartitionEntry& a, const PartitionEntry& b) {
  return {std::max(a.start, b.start), std::min(a.end(), b.end())};
}

bool WasThere(const PartitionTable& table, const Container& container, const OldTable& old, const Verdict& verdict) {
  const PartitionEntry& entry = table.partitions[static_cast<size_t>(verdict.entry)];
  const PartitionEntry* was = OldEntry(old, entry);
  if (was == nullptr) return false;
  if (verdict.kind == Verdict::Kind::kOverlaps) {
    const PartitionEntry& other = table.partitions[verdict.value];
    const PartitionEntry* other_was = OldEntry(old, other);
    return other_was != nullptr && other_was != was && Shared(entry, other).In(Shared(*was, *other_was));
  }
  const bool narrowed = container.begin > old.container.begin || container.end < old.container.end;
  return !was->usable && !narrowed && SpanOf(entry).In(SpanOf(*was));
}

constexpr bool IsHigh(char16_t c) { return c >= 0xd800 && c < 0xdc00; }
constexpr bool IsLow(char16_t c) { return c >= 0xdc00 && c < 0xe000; }

}  // namespace

void JudgeRanges(PartitionTable& table, const Container& container, uint64_t medium_size) {
  const auto place_of = [&](const PartitionEntry& entry) { return static_cast<int>(&entry - table.partitions.data()); };
  std::vector<const PartitionEntry*> by_start;
  table.usable_begin = container.begin;
  table.usable_end = std::max(container.begin, std::min(container.end, medium_size));
  for (PartitionEntry& entry : table.partitions) {
    entry.usable = entry.end() <= medium_size && container.Contains(entry.start, entry.end());
    if (table.scheme == Scheme::kBsd && entry.type == kFsUnused) continue;
    by_start.push_back(&entry);
    if (entry.usable) continue;
    const bool beyond = entry.end() > medium_size;
    table.verdicts.push_back(
        {beyond ? Verdict::Kind::kBeyondDevice : Verdict::Kind::kOutsideContainer, place_of(entry)});
  }
  std::sort(by_start.begin(), by_start.end(), [](const auto* a, const auto* b) {
    return a->start != b->start ? a->start < b->start : a->index < b->index;
  });
  const PartitionEntry* widest = nullptr;  // of those that begin before
  for (const PartitionEntry* entry : by_start) {
    if (widest != nullptr && entry->start < widest->end()) {
      table.verdicts.push_back({Verdict::Kind::kOverlaps, place_of(*entry), static_cast<uint64_t>(place_of(*widest))});
    }
    if (widest == nullptr || entry->end() > widest->end()) widest = entry;
  }
}

const PartitionEntry* OldEntry(const OldTable& old, const PartitionEntry& entry) {
  if (old.table == nullptr) return nullptr;
  const auto& entries = old.table->partitions;
  const bool counted = old.table->scheme == Scheme::kEbr;
  const auto found = counted ? std::find_if(entries.begin(), entries.end(),
                                            [&](const PartitionEntry& was) { return was.start == entry.start; })
                             : std::lower_bound(entries.begin(), entries.end(), entry,
                                                [](const auto& a, const auto& b) { return a.index < b.index; });
  const bool same = found != entries.end() && (counted || found->index == entry.index);
  return same ? &*found : nullptr;
}

void JudgeChange(PartitionTable& table, const Container& container, uint64_t medium_size, const OldTable& old) {
  PartitionTable judged;
  judged.scheme = table.scheme;
  std::swap(judged.partitions, table.partitions);
  JudgeRanges(judged, container, medium_size);
  std::swap(judged.partitions, table.partitions);
  table.usable_begin = judged.usable_begin;
  table.usable_end = judged.usable_end;
  for (const Verdict& verdict : judged.verdicts) {
    if (!WasThere(table, container, old, verdict)) table.verdicts.push_back(verdict);
  }
}

void ForgiveOldFlaws(PartitionTable& table, const PartitionTable& old) {
  const auto stayed = [&](uint64_t place) {
    const PartitionEntry& entry = table.partitions[place];
    return std::any_of(old.partitions.begin(), old.partitions.end(), [&](const PartitionEntry& was) {
      return was.index == entry.index && was.start == entry.start && was.size == entry.size;
    });
  };
  const auto forgiven = [&](const Verdict& verdict) {
    switch (verdict.kind) {
      case Verdict::Kind::kBeyondDevice:
      case Verdict::Kind::kOutsideContainer: return stayed(static_cast<uint64_t>(verdict.entry));
      case Verdict::Kind::kOverlaps: return stayed(static_cast<uint64_t>(verdict.entry)) && stayed(verdict.value);
      default: return false;
    }
  };
  std::erase_if(table.verdicts, forgiven);
}

std::optional<FoundPartition> FindPartition(const PartitionTable& table, std::string_view name) {
  if (name.empty()) return std::nullopt;
  auto found = OnlyMatch(table, [&](const PartitionEntry& entry) { return entry.name == name; });
  if (found) return found;
  if (const auto guid = ParseGuid(name); guid && !guid->empty()) {
    found = OnlyMatch(table, [&](const PartitionEntry& entry) { return entry.uuid == *guid; });
    if (found) return found;
  }
  return OnlyMatch(table, [&](const PartitionEntry& entry) { return ToUtf8(entry.label) == name; });
}

std::string NumberedName(char letter, uint64_t number) {
  // Appended to: of a string put in front gcc 12 says at -O3 that it overflows.
  std::string name(1, letter);
  name += std::to_string(number);
  return name;
}

std::string ToUtf8(std::u16string_view text) {
  constexpr char32_t kReplacement = 0xfffd;
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    const char16_t c = text[i];
    if (IsHigh(c) && i + 1 < text.size() && IsLow(text[i + 1])) {
      AppendUtf8(out, 0x10000 + ((char32_t{c} & 0x3ff) << 10) + (char32_t{text[++i]} & 0x3ff));
    } else {
      AppendUtf8(out, IsHigh(c) || IsLow(c) ? kReplacement : char32_t{c});
    }
  }
  return out;
}

}  // namespace blk
