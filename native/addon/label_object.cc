#include "addon/label_object.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

namespace blk_addon {
namespace {

// Latin-1 up to the first NUL.
Napi::String Name(Napi::Env env, const std::array<char, 16>& name) {
  size_t size = 0;
  while (size < name.size() && name[size] != '\0') size++;
  napi_value text = nullptr;
  napi_create_string_latin1(env, name.data(), size, &text);
  return Napi::String(env, text);
}

Napi::Array Numbers(Napi::Env env, const std::array<uint32_t, 5>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (uint32_t i = 0; i < values.size(); i++) array.Set(i, values[i]);
  return array;
}

}  // namespace

Napi::Object PartitionToObject(Napi::Env env, const blk::Partition& partition) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("offset", static_cast<double>(partition.offset));
  object.Set("size", static_cast<double>(partition.size));
  object.Set("fstype", static_cast<uint32_t>(partition.fstype));
  object.Set("fsize", partition.fsize);
  object.Set("frag", static_cast<uint32_t>(partition.frag));
  object.Set("cpg", static_cast<uint32_t>(partition.cpg));
  return object;
}

Napi::Object LabelToObject(Napi::Env env, const blk::DiskLabel& label) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("type", static_cast<uint32_t>(label.type));
  object.Set("subtype", static_cast<uint32_t>(label.subtype));
  object.Set("typename", Name(env, label.type_name));
  object.Set("packname", Name(env, label.pack_name));
  // The fields by their names in api.d.ts: those of struct disklabel without the `d_`.
  const struct {
    const char* name;
    uint64_t value;
  } fields[] = {
      {"secsize", label.secsize},
      {"nsectors", label.nsectors},
      {"ntracks", label.ntracks},
      {"ncylinders", label.ncylinders},
      {"secpercyl", label.secpercyl},
      {"secperunit", label.secperunit},
      {"sparespertrack", label.sparespertrack},
      {"sparespercyl", label.sparespercyl},
      {"acylinders", label.acylinders},
      {"rpm", label.rpm},
      {"interleave", label.interleave},
      {"trackskew", label.trackskew},
      {"cylskew", label.cylskew},
      {"headswitch", label.headswitch},
      {"trkseek", label.trkseek},
      {"flags", label.flags},
  };
  for (const auto& field : fields) object.Set(field.name, static_cast<double>(field.value));
  object.Set("drivedata", Numbers(env, label.drivedata));
  object.Set("spare", Numbers(env, label.spare));
  object.Set("bbsize", label.bbsize);
  object.Set("sbsize", label.sbsize);
  Napi::Array partitions = Napi::Array::New(env, label.npartitions);
  for (uint32_t i = 0; i < label.npartitions; i++) partitions.Set(i, PartitionToObject(env, label.partitions[i]));
  object.Set("partitions", partitions);
  object.Set("checksum", static_cast<uint32_t>(label.checksum));
  return object;
}

blk::DiskLabel LabelOf(const ViewBytes& numbers, const ViewBytes& names) {
  blk::DiskLabel label;
  if (names.size >= 32) {
    std::copy_n(names.data, 16, label.type_name.begin());
    std::copy_n(names.data + 16, 16, label.pack_name.begin());
  }
  // In the order in which lib lays them out; what is not there is 0.
  size_t at = 0;
  const auto take = [&](auto& field) {
    double value = 0;
    if (at + sizeof(value) <= numbers.size) std::memcpy(&value, numbers.data + at, sizeof(value));
    at += sizeof(value);
    // lib has checked that it is a whole number that the field holds.
    field = static_cast<std::remove_reference_t<decltype(field)>>(value);
  };
  take(label.type), take(label.subtype), take(label.secsize), take(label.nsectors), take(label.ntracks);
  take(label.ncylinders), take(label.secpercyl), take(label.secperunit), take(label.sparespertrack);
  take(label.sparespercyl), take(label.acylinders), take(label.rpm), take(label.interleave), take(label.trackskew);
  take(label.cylskew), take(label.headswitch), take(label.trkseek), take(label.flags);
  for (uint32_t& number : label.drivedata) take(number);
  for (uint32_t& number : label.spare) take(number);
  take(label.bbsize), take(label.sbsize), take(label.npartitions);
  // Not trusted, although lib has checked it: it bounds the loop below.
  label.npartitions = std::min<uint16_t>(label.npartitions, blk::kMaxMaxPartitions);
  for (uint32_t i = 0; i < label.npartitions; i++) {
    blk::Partition& partition = label.partitions[i];
    take(partition.offset), take(partition.size), take(partition.fstype);
    take(partition.fsize), take(partition.frag), take(partition.cpg);
  }
  return label;
}

}  // namespace blk_addon
