#include "addon/table_object.h"
// Over 300 lines: the values of lib/native/binding.ts about tables, in both directions, side by side.

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "addon/label_object.h"
#include "core/base/units.h"

namespace blk_addon {
namespace {

// NativeVerdict[]: the words for them are lib's (lib/label/verdicts.ts).
Napi::Array VerdictsToArray(Napi::Env env, const blk::Verdicts& verdicts) {
  Napi::Array list = Napi::Array::New(env, verdicts.size());
  for (uint32_t i = 0; i < verdicts.size(); i++) {
    Napi::Array row = Napi::Array::New(env, 4);
    row.Set(uint32_t{0}, static_cast<int>(verdicts[i].kind));
    row.Set(uint32_t{1}, verdicts[i].entry);
    row.Set(uint32_t{2}, static_cast<double>(verdicts[i].value));
    row.Set(uint32_t{3}, std::string(verdicts[i].text));
    list.Set(i, row);
  }
  return list;
}

// UTF-16 as it is. As a napi_value: what Set() makes of a Napi::String goes through UTF-8, which has no place for half
// a surrogate pair.
napi_value TextOf(Napi::Env env, const std::u16string& text) { return Napi::String::New(env, text); }

Napi::Object EntryToObject(Napi::Env env, blk::Scheme scheme, const blk::PartitionEntry& entry) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", entry.name);
  object.Set("index", entry.index);
  object.Set("start", static_cast<double>(entry.start));
  object.Set("size", static_cast<double>(entry.size));
  object.Set("type", static_cast<uint32_t>(entry.type));
  object.Set("bootable", entry.bootable);
  // Of the other schemes these are no fields of their entries: left out, as lib/native/binding.ts has them optional.
  if (scheme == blk::Scheme::kGpt) {
    object.Set("typeGuid", blk::FormatGuid(entry.type_guid));
    object.Set("uuid", blk::FormatGuid(entry.uuid));
    object.Set("label", TextOf(env, entry.label));
    // All 64 bits mean something, which a number would not hold.
    object.Set("attributes", Napi::BigInt::New(env, entry.attributes));
  }
  if (scheme == blk::Scheme::kApm) {
    object.Set("typeText", entry.type_text);
    object.Set("label", Napi::String::New(env, entry.label));
  }
  if (entry.link) object.Set("link", static_cast<double>(*entry.link));
  if (entry.content) {
    object.Set("content", ContentToArray(env, *entry.content));
  }
  if (entry.table) object.Set("table", TableToObject(env, *entry.table));
  return object;
}

}  // namespace

Napi::Array ContentToArray(Napi::Env env, const blk::ContentIdentity& content) {
  Napi::Array array = Napi::Array::New(env, 3);
  array.Set(uint32_t{0}, content.type);
  array.Set(uint32_t{1}, content.uuid);
  array.Set(uint32_t{2}, content.label);
  return array;
}

Napi::Object TableToObject(Napi::Env env, const blk::PartitionTable& table) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("scheme", static_cast<int>(table.scheme));
  object.Set("position", static_cast<double>(table.position));
  object.Set("sectorSize", static_cast<double>(table.sector_size));
  object.Set("diskId", table.disk_id);
  if (table.scheme == blk::Scheme::kBsd) {
    object.Set("flavor", static_cast<int>(table.flavor));
    if (!table.duid.empty()) object.Set("duid", table.duid);
  }
  object.Set("diskGuid", blk::FormatGuid(table.disk_guid));
  object.Set("usableBegin", static_cast<double>(table.usable_begin));
  object.Set("usableEnd", static_cast<double>(table.usable_end));
  object.Set("verdicts", VerdictsToArray(env, table.verdicts));
  Napi::Array partitions = Napi::Array::New(env, table.partitions.size());
  for (uint32_t i = 0; i < table.partitions.size(); i++) {
    partitions.Set(i, EntryToObject(env, table.scheme, table.partitions[i]));
  }
  object.Set("partitions", partitions);
  if (table.hybrid) {
    Napi::Array hybrid = Napi::Array::New(env, table.hybrid->size());
    for (uint32_t i = 0; i < table.hybrid->size(); i++) {
      hybrid.Set(i, EntryToObject(env, blk::Scheme::kMbr, (*table.hybrid)[i]));
    }
    object.Set("hybrid", hybrid);
  }
  return object;
}

namespace {

// A row of TableRows or EntryRow, whose elements are taken one by one. Whatever is not of the type that
// lib/native/binding.ts names for it makes the row one that does not hold: ok() is false from then on.
class Row {
 public:
  Row(napi_env env, napi_value row) : env_(env), row_(row) {
    uint32_t length = 0;
    ok_ = napi_is_array(env, row, &ok_) == napi_ok && ok_ && napi_get_array_length(env, row, &length) == napi_ok;
    length_ = ok_ ? length : 0;
  }

  bool ok() const { return ok_; }
  uint32_t length() const { return length_; }

  // Null for what is not there.
  napi_value At(uint32_t i) {
    napi_value value = nullptr;
    return Holds(i < length_ && napi_get_element(env_, row_, i, &value) == napi_ok) ? value : nullptr;
  }
  // A whole number up to `most`.
  uint64_t Number(uint32_t i, uint64_t most) {
    double value = 0;
    const bool is_number = napi_get_value_double(env_, At(i), &value) == napi_ok;
    // In this order: the cast of a NaN, or of what 64 bits do not hold, would be undefined.
    const bool fits = is_number && value >= 0 && value <= static_cast<double>(most);
    return Holds(fits && std::trunc(value) == value) ? static_cast<uint64_t>(value) : 0;
  }
  bool Flag(uint32_t i) {
    bool value = false;
    Holds(napi_get_value_bool(env_, At(i), &value) == napi_ok);
    return value;
  }
  // Attributes are 64 bits, which a number would not hold.
  uint64_t Bits(uint32_t i) {
    uint64_t value = 0;
    bool lossless = false;
    Holds(napi_get_value_bigint_uint64(env_, At(i), &value, &lossless) == napi_ok && lossless);
    return value;
  }
  // No GUID is ''.
  blk::Guid Guid(uint32_t i) {
    napi_value value = Text(i);
    if (value == nullptr) return {};
    const std::string text = Napi::String(env_, value).Utf8Value();
    const auto guid = blk::ParseGuid(text);
    Holds(guid || text.empty());
    return guid.value_or(blk::Guid());
  }
  std::u16string Label(uint32_t i) {
    napi_value value = Text(i);
    return value == nullptr ? std::u16string() : Napi::String(env_, value).Utf16Value();
  }

 private:
  bool Holds(bool condition) {
    ok_ = ok_ && condition;
    return ok_;
  }
  // A string, or null.
  napi_value Text(uint32_t i) {
    napi_value value = At(i);
    return Holds(value != nullptr && IsOf(env_, value, napi_string)) ? value : nullptr;
  }

  static bool IsOf(napi_env env, napi_value value, napi_valuetype wanted) {
    napi_valuetype type = napi_undefined;
    return napi_typeof(env, value, &type) == napi_ok && type == wanted;
  }

  napi_env env_;
  napi_value row_;
  bool ok_ = false;
  uint32_t length_ = 0;
};

// Tables lie in each other as deep as lib lets them.
constexpr int kMaxDepth = 3;

std::optional<blk::PartitionTable> TableAt(napi_env env, napi_value rows, int depth);

std::optional<blk::PartitionEntry> EntryOf(napi_env env, napi_value value, int depth) {
  Row row(env, value);
  blk::PartitionEntry entry;
  entry.index = static_cast<uint32_t>(row.Number(0, UINT32_MAX));
  entry.start = row.Number(1, blk::kMaxSafeInteger);
  entry.size = row.Number(2, blk::kMaxSafeInteger);
  entry.type = static_cast<uint8_t>(row.Number(3, UINT8_MAX));
  entry.bootable = row.Flag(4);
  entry.type_guid = row.Guid(5);
  entry.uuid = row.Guid(6);
  entry.label = row.Label(7);
  entry.attributes = row.Bits(8);
  const napi_value inside = row.At(9);
  if (!row.ok()) return std::nullopt;
  if (Napi::Value(env, inside).IsUndefined()) return entry;
  auto table = TableAt(env, inside, depth + 1);
  if (!table) return std::nullopt;
  entry.table = std::make_unique<blk::PartitionTable>(std::move(*table));
  return entry;
}

std::optional<std::vector<blk::PartitionEntry>> EntriesOf(napi_env env, napi_value list, int depth) {
  std::vector<blk::PartitionEntry> entries;
  Row rows(env, list);
  for (uint32_t i = 0; i < rows.length(); i++) {
    // Handles of one entry at a time: a table may have a million of them.
    const Napi::HandleScope scope(env);
    auto entry = EntryOf(env, rows.At(i), depth);
    if (!entry) return std::nullopt;
    entries.push_back(std::move(*entry));
  }
  if (!rows.ok()) return std::nullopt;
  return entries;
}

std::optional<blk::PartitionTable> TableAt(napi_env env, napi_value rows, int depth) {
  if (depth > kMaxDepth) return std::nullopt;
  Row row(env, rows);
  blk::PartitionTable table;
  table.scheme = static_cast<blk::Scheme>(row.Number(0, static_cast<uint64_t>(blk::Scheme::kUnknown)));
  table.position = row.Number(1, blk::kMaxSafeInteger);
  table.sector_size = row.Number(2, blk::kMaxSafeInteger);
  table.disk_id = static_cast<uint32_t>(row.Number(3, UINT32_MAX));
  table.disk_guid = row.Guid(4);
  const napi_value list = row.At(5);
  const napi_value hybrid = row.At(6);
  if (!row.ok()) return std::nullopt;
  auto partitions = EntriesOf(env, list, depth);
  if (!partitions) return std::nullopt;
  table.partitions = std::move(*partitions);
  if (Napi::Value(env, hybrid).IsUndefined()) return table;
  table.hybrid = EntriesOf(env, hybrid, kMaxDepth);
  if (!table.hybrid || table.scheme != blk::Scheme::kGpt) return std::nullopt;
  return table;
}

// [kind, value, name of the entry, name of the other entry that `value` stands for, or of what the kind speaks of], a
// name being '' where there is none.
Napi::Array FaultToRow(Napi::Env env, const blk::PartitionTable& table, const blk::Verdict& verdict) {
  const auto name_of = [&](uint64_t place) {
    return place < table.partitions.size() ? table.partitions[place].name : std::string();
  };
  const bool about_entry = verdict.entry >= 0;
  Napi::Array row = Napi::Array::New(env, 4);
  row.Set(uint32_t{0}, static_cast<int>(verdict.kind));
  row.Set(uint32_t{1}, static_cast<double>(verdict.value));
  row.Set(uint32_t{2}, about_entry ? name_of(static_cast<uint64_t>(verdict.entry)) : "");
  row.Set(uint32_t{3}, about_entry ? name_of(verdict.value) : std::string(verdict.text));
  return row;
}

// Adds those of the table and of the tables in it, as far as there are fewer than kNamedFaults. -> how many there are.
uint32_t AddFaults(Napi::Env env, const blk::PartitionTable& table, Napi::Array& rows) {
  constexpr uint32_t kNamedFaults = 5;
  for (const blk::Verdict& verdict : table.verdicts) {
    const uint32_t named = rows.Length();
    if (named == kNamedFaults) break;
    rows.Set(named, FaultToRow(env, table, verdict));
  }
  uint32_t count = static_cast<uint32_t>(table.verdicts.size());
  for (const blk::PartitionEntry& entry : table.partitions) {
    if (entry.table) count += AddFaults(env, *entry.table, rows);
  }
  return count;
}

}  // namespace

std::optional<blk::PartitionTable> TableOf(Napi::Env env, napi_value rows) { return TableAt(env, rows, 1); }

Napi::Object FaultsToObject(Napi::Env env, const blk::PartitionTable& table) {
  Napi::Array rows = Napi::Array::New(env);
  const uint32_t count = AddFaults(env, table, rows);
  Napi::Object faults = Napi::Object::New(env);
  faults.Set("first", rows);
  faults.Set("count", count);
  return faults;
}

Napi::Object LabelFaultsToObject(Napi::Env env, const blk::Verdicts& verdicts) {
  blk::PartitionTable named;
  named.scheme = blk::Scheme::kBsd;
  named.partitions.resize(blk::kMaxMaxPartitions);
  for (size_t i = 0; i < named.partitions.size(); i++) {
    named.partitions[i].name = std::string(1, static_cast<char>('a' + i));
  }
  named.verdicts = verdicts;
  return FaultsToObject(env, named);
}

// In an object: an array is a failure.
Napi::Object WedgesToArray(Napi::Env env, const std::vector<blk::Wedge>& wedges) {
  Napi::Array list = Napi::Array::New(env, wedges.size());
  for (uint32_t i = 0; i < wedges.size(); i++) {
    const blk::PartitionSpot& spot = wedges[i].spot;
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", spot.name);
    object.Set("scheme", static_cast<int>(spot.scheme));
    object.Set("start", static_cast<double>(spot.start));
    object.Set("size", static_cast<double>(spot.size));
    object.Set("type", static_cast<uint32_t>(spot.type));
    object.Set("flavor", static_cast<int>(spot.flavor));
    object.Set("typeGuid", blk::FormatGuid(spot.type_guid));
    object.Set("uuid", blk::FormatGuid(spot.uuid));
    object.Set("label", TextOf(env, spot.label));
    object.Set("minor", wedges[i].minor);
    list.Set(i, object);
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("wedges", list);
  return result;
}

Napi::Array LabelToArray(Napi::Env env, const blk::DecodedLabel& decoded) {
  Napi::Array row = Napi::Array::New(env, 3);
  row.Set(uint32_t{0}, LabelToObject(env, decoded.label));
  row.Set(uint32_t{1}, static_cast<int>(decoded.order));
  row.Set(uint32_t{2}, VerdictsToArray(env, decoded.verdicts));
  return row;
}

}  // namespace blk_addon
