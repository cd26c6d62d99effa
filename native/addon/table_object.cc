#include "addon/table_object.h"

#include <memory>

#include "addon/label_object.h"

namespace blk_addon {
namespace {

// NativeVerdict[]: the words for them are lib's (lib/label/verdicts.ts).
Napi::Array VerdictsToArray(Napi::Env env, const blk::Verdicts& verdicts) {
  Napi::Array list = Napi::Array::New(env, verdicts.size());
  for (uint32_t i = 0; i < verdicts.size(); i++) {
    Napi::Array row = Napi::Array::New(env, 3);
    row.Set(uint32_t{0}, static_cast<int>(verdicts[i].kind));
    row.Set(uint32_t{1}, verdicts[i].entry);
    row.Set(uint32_t{2}, static_cast<double>(verdicts[i].value));
    list.Set(i, row);
  }
  return list;
}

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
    object.Set("label", Napi::String::New(env, entry.label));
    // All 64 bits mean something, which a number would not hold.
    object.Set("attributes", Napi::BigInt::New(env, entry.attributes));
  }
  if (entry.table) object.Set("table", TableToObject(env, *entry.table));
  return object;
}

}  // namespace

Napi::Object TableToObject(Napi::Env env, const blk::PartitionTable& table) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("scheme", static_cast<int>(table.scheme));
  object.Set("position", static_cast<double>(table.position));
  object.Set("sectorSize", static_cast<double>(table.sector_size));
  object.Set("diskId", table.disk_id);
  object.Set("diskGuid", blk::FormatGuid(table.disk_guid));
  object.Set("verdicts", VerdictsToArray(env, table.verdicts));
  Napi::Array partitions = Napi::Array::New(env, table.partitions.size());
  for (uint32_t i = 0; i < table.partitions.size(); i++) {
    partitions.Set(i, EntryToObject(env, table.scheme, table.partitions[i]));
  }
  object.Set("partitions", partitions);
  return object;
}

namespace {

blk::PartitionEntry EntryOf(Napi::Env env, const Napi::Array& row) {
  const auto number = [&](uint32_t i) { return row.Get(i).ToNumber().DoubleValue(); };
  const auto guid = [&](uint32_t i) { return blk::ParseGuid(row.Get(i).ToString().Utf8Value()).value_or(blk::Guid()); };
  blk::PartitionEntry entry;
  entry.index = static_cast<uint32_t>(number(0));
  entry.start = static_cast<uint64_t>(number(1));
  entry.size = static_cast<uint64_t>(number(2));
  entry.type = static_cast<uint8_t>(number(3));
  entry.bootable = row.Get(4).ToBoolean();
  entry.type_guid = guid(5);
  entry.uuid = guid(6);
  entry.label = row.Get(7).ToString().Utf16Value();
  // Attributes are 64 bits, and lib has checked that.
  bool lossless = false;
  entry.attributes = row.Get(8).As<Napi::BigInt>().Uint64Value(&lossless);
  // Tables lie in each other as deep as lib lets them: three.
  if (row.Get(9).IsArray()) entry.table = std::make_unique<blk::PartitionTable>(TableOf(env, row.Get(9)));
  return entry;
}

}  // namespace

blk::PartitionTable TableOf(Napi::Env env, napi_value rows) {
  const Napi::Array row(env, rows);
  const auto number = [&](uint32_t i) { return row.Get(i).ToNumber().DoubleValue(); };
  blk::PartitionTable table;
  table.scheme = static_cast<blk::Scheme>(static_cast<int>(number(0)));
  table.position = static_cast<uint64_t>(number(1));
  table.sector_size = static_cast<uint64_t>(number(2));
  table.disk_id = static_cast<uint32_t>(number(3));
  table.disk_guid = blk::ParseGuid(row.Get(4).ToString().Utf8Value()).value_or(blk::Guid());
  // As lib made them: no cast here can meet another type.
  const Napi::Array entries = row.Get(5).As<Napi::Array>();
  for (uint32_t i = 0; i < entries.Length(); i++) {
    table.partitions.push_back(EntryOf(env, entries.Get(i).As<Napi::Array>()));
  }
  return table;
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
    object.Set("typeGuid", blk::FormatGuid(spot.type_guid));
    object.Set("uuid", blk::FormatGuid(spot.uuid));
    object.Set("label", Napi::String::New(env, spot.label));
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
