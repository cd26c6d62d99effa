#include "core/label/disk_label.h"

#include <cstring>
#include <string>

#include "test/support/check.h"
#include "test/support/rig.h"

namespace blk {
namespace {

using test::kMiB;

uint32_t Le(const EncodedLabel& bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | bytes[at + i];
  return value;
}

TEST_CASE("the default label has the seed's fields, in sectors (B11)") {
  const DiskLabel label = DefaultLabel(20 * kMiB, 3);
  CHECK(label.magic == 0x82564557);
  CHECK(label.magic2 == 0x82564557);
  CHECK(label.type == 21);
  CHECK(std::string(label.type_name.data()) == "rumpd");
  CHECK(std::string(label.pack_name.data()) == "fictitious");
  CHECK(label.secsize == 512);
  CHECK(label.nsectors == 40960);
  CHECK(label.ntracks == 1);
  CHECK(label.ncylinders == 1);
  CHECK(label.secpercyl == 40960);
  CHECK(label.secperunit == 40960);
  CHECK(label.rpm == 11);
  CHECK(label.interleave == 1);
  CHECK(label.flags == 0);
  CHECK(label.bbsize == 0);
  CHECK(label.sbsize == 0);
  CHECK(label.npartitions == 4);
  for (size_t i = 0; i < kMaxPartitions; i++) {
    CHECK(label.partitions[i].size == (i == 3 ? 40960 : 0));
    CHECK(label.partitions[i].offset == 0);
    CHECK(label.partitions[i].fstype == 0);
  }
}

TEST_CASE("B12: every partition index has room, the last one too") {
  for (uint32_t part = 0; part < kMaxPartitions; part++) {
    const DiskLabel label = DefaultLabel(kMiB, part);
    CHECK(label.npartitions == part + 1);
    CHECK(label.partitions[part].size == 2048);
  }
}

TEST_CASE("B13: the checksum is 0x7214 ^ (minor + 1), whatever the size, and makes the label valid") {
  for (const uint64_t size : {uint64_t{0}, uint64_t{512}, kMiB, uint64_t{6} << 40, kMaxSafeInteger}) {
    for (uint32_t part = 0; part < kMaxPartitions; part++) {
      DiskLabel label = DefaultLabel(size, part);
      INFO("size " << size << " part " << part);
      CHECK(label.checksum == (0x7214 ^ (part + 1)));
      CHECK(LabelChecksum(label) == 0);
      label.checksum = 0;
      CHECK(LabelChecksum(label) == (0x7214 ^ (part + 1)));
    }
  }
}

TEST_CASE("B11: sector counts saturate instead of wrapping") {
  const uint64_t limit = uint64_t{0xffffffff} * 512;
  CHECK(DefaultLabel(limit - 512, 0).secperunit == 0xfffffffe);
  CHECK(DefaultLabel(limit, 0).secperunit == 0xffffffff);
  CHECK(DefaultLabel(limit + 512, 0).secperunit == 0xffffffff);
  CHECK(DefaultLabel(kMaxSafeInteger, 0).partitions[0].size == 0xffffffff);
  CHECK(DefaultLabel(511, 0).secperunit == 0);
  CHECK(DefaultLabel(1023, 0).secperunit == 1);
}

TEST_CASE("the checksum covers the header and the used partitions, and nothing behind them") {
  DiskLabel label = DefaultLabel(kMiB, 1);
  label.partitions[2].size = 77;  // not used: npartitions is 2
  CHECK(LabelChecksum(label) == 0);
  label.partitions[0].fstype = 7;
  CHECK(LabelChecksum(label) == 7);
  label.partitions[0].fstype = 0;
  label.pack_name[15] = 'x';
  CHECK(LabelChecksum(label) == 'x' << 8);
}

// A label whose every field has a value of its own, at the byte offsets of NetBSD's struct disklabel.
TEST_CASE("fields lie at the byte offsets of struct disklabel, little endian") {
  DiskLabel label;
  label.type = 0x0102;
  label.subtype = 0x0304;
  std::memcpy(label.type_name.data(), "abcdefghijklmnop", 16);
  std::memcpy(label.pack_name.data(), "ABCDEFGHIJKLMNOP", 16);
  label.secsize = 0x10000001;
  label.nsectors = 0x10000002;
  label.ntracks = 0x10000003;
  label.ncylinders = 0x10000004;
  label.secpercyl = 0x10000005;
  label.secperunit = 0x10000006;
  label.sparespertrack = 0x2001;
  label.sparespercyl = 0x2002;
  label.acylinders = 0x10000007;
  label.rpm = 0x2003;
  label.interleave = 0x2004;
  label.trackskew = 0x2005;
  label.cylskew = 0x2006;
  label.headswitch = 0x10000008;
  label.trkseek = 0x10000009;
  label.flags = 0x1000000a;
  label.drivedata = {0x10000010, 0x10000011, 0x10000012, 0x10000013, 0x10000014};
  label.spare = {0x10000020, 0x10000021, 0x10000022, 0x10000023, 0x10000024};
  label.checksum = 0x2007;
  label.npartitions = 16;
  label.bbsize = 0x1000000b;
  label.sbsize = 0x1000000c;
  label.partitions[0] = {0x30000001, 0x30000002, 0x30000003, 0x41, 0x42, 0x4344};
  label.partitions[15] = {0x30000004, 0x30000005, 0x30000006, 0x51, 0x52, 0x5354};
  const EncodedLabel bytes = EncodeLabel(label);
  CHECK(bytes.size() == kLabelBytes);

  struct Field {
    size_t at, size;
    uint32_t value;
  };
  const Field fields[] = {
      {0, 4, 0x82564557},   {4, 2, 0x0102},       {6, 2, 0x0304},       {40, 4, 0x10000001},  {44, 4, 0x10000002},
      {48, 4, 0x10000003},  {52, 4, 0x10000004},  {56, 4, 0x10000005},  {60, 4, 0x10000006},  {64, 2, 0x2001},
      {66, 2, 0x2002},      {68, 4, 0x10000007},  {72, 2, 0x2003},      {74, 2, 0x2004},      {76, 2, 0x2005},
      {78, 2, 0x2006},      {80, 4, 0x10000008},  {84, 4, 0x10000009},  {88, 4, 0x1000000a},  {92, 4, 0x10000010},
      {108, 4, 0x10000014}, {112, 4, 0x10000020}, {128, 4, 0x10000024}, {132, 4, 0x82564557}, {136, 2, 0x2007},
      {138, 2, 16},         {140, 4, 0x1000000b}, {144, 4, 0x1000000c}, {148, 4, 0x30000001}, {152, 4, 0x30000002},
      {156, 4, 0x30000003}, {160, 1, 0x41},       {161, 1, 0x42},       {162, 2, 0x4344},     {388, 4, 0x30000004},
      {392, 4, 0x30000005}, {396, 4, 0x30000006}, {400, 1, 0x51},       {401, 1, 0x52},       {402, 2, 0x5354}};
  for (const Field& field : fields) {
    INFO("offset " << field.at);
    CHECK(Le(bytes, field.at, field.size) == field.value);
  }
  CHECK(std::memcmp(&bytes[8], "abcdefghijklmnop", 16) == 0);
  CHECK(std::memcmp(&bytes[24], "ABCDEFGHIJKLMNOP", 16) == 0);
  CHECK(bytes[0] == 0x57);  // little endian: the low byte first
}

TEST_CASE("unused partitions are zeros on the medium") {
  const EncodedLabel bytes = EncodeLabel(DefaultLabel(kMiB, 0));
  for (size_t at = kLabelHeaderBytes + kPartitionBytes; at < bytes.size(); at++) REQUIRE(bytes[at] == 0);
  CHECK(Le(bytes, kLabelHeaderBytes, 4) == 2048);
}

}  // namespace
}  // namespace blk
