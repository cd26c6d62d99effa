#include "addon/label_object.h"

#include <array>
#include <string>

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
  object.Set("offset", partition.offset);
  object.Set("size", partition.size);
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
  const struct {
    const char* name;
    uint32_t value;
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
  for (const auto& field : fields) object.Set(field.name, field.value);
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

}  // namespace blk_addon
