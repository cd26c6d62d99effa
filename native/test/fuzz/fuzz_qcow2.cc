// Fuzzes the reader of qcow2 images over a file that the input describes. Never crashes, hangs, allocates without bound
// or reads outside of what it was given; the same bytes twice are the same; and extents go through all of the disk.
//
// Input: a flag byte, then the file. Flag 1: fields of the header that are wrong at once, the magic, the version, the
// length and the features, are made right, so that the fuzzer reaches what is behind them. Flag 2: L1 entries, and L2
// entries of the first table, are folded into the file and aligned. Bitmaps are reached from an image that has some.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "core/base/byte_order.h"
#include "core/image/image.h"
#include "core/image/qcow2_header.h"
#include "test/support/recorder.h"

namespace {

using blk::ByteOrder;

constexpr size_t kMostRead = 1 << 20;
constexpr uint64_t kRoom = 4 << 20;  // that the file may grow to

void Check(bool holds) {
  if (!holds) std::abort();
}

void Fix(std::vector<uint8_t>& file) {
  blk::Store<uint32_t>(&file[0], blk::kQcow2Magic, ByteOrder::kBig);
  file[4] = file[5] = file[6] = 0;
  file[7] = file[7] % 2 == 0 ? 2 : 3;
  file[20] = file[21] = file[22] = 0;
  file[23] = static_cast<uint8_t>(9 + file[23] % 4);
  file[24] = file[25] = file[26] = file[27] = 0;
  std::memset(&file[32], 0, 4);
  // Tables lie in the second and third cluster.
  const uint64_t cluster = uint64_t{1} << file[23];
  blk::Store<uint32_t>(&file[36], static_cast<uint32_t>(file[39] % 64 + 1), ByteOrder::kBig);
  blk::Store<uint64_t>(&file[40], cluster, ByteOrder::kBig);
  blk::Store<uint64_t>(&file[48], 2 * cluster, ByteOrder::kBig);
  blk::Store<uint32_t>(&file[56], 1, ByteOrder::kBig);
  std::memset(&file[60], 0, 4);
  if (file[7] == 3) {
    std::memset(&file[72], 0, 7);
    file[79] &= 3;
    blk::Store<uint32_t>(&file[96], 4, ByteOrder::kBig);
    blk::Store<uint32_t>(&file[100], 104, ByteOrder::kBig);
  }
  // No backing file: the fuzzer has no folder to look into.
  std::memset(&file[8], 0, 8);
}

void Fold(std::vector<uint8_t>& file) {
  const uint64_t cluster = uint64_t{1} << file[23];
  for (const uint64_t table : {cluster, 3 * cluster}) {
    for (size_t i = 0; i < 16 && table + (i + 1) * 8 <= file.size(); i++) {
      uint8_t* const at = &file[table + i * 8];
      const auto word = blk::Load<uint64_t>(at, ByteOrder::kBig);
      const uint64_t offset = (word & 0x00ffffffffffffff) % file.size() / cluster * cluster;
      blk::Store<uint64_t>(at, (word & 0xc000000000000001) | offset, ByteOrder::kBig);
    }
  }
}

// Goes on with each bitmap, makes one, and removes the first; none says less than was just written.
void FuzzBitmaps(blk::Medium& medium, const std::vector<blk::KeptBitmap>& listed) {
  size_t looks = 0;
  for (const blk::KeptBitmap& bitmap : listed) {
    if (looks++ == 8) break;
    const auto kept = medium.KeepChanges(bitmap.name, {});
    if (!kept.ok()) continue;
    Check(kept.value()->consistent() || kept.value()->map()->bytes() == *medium.size());
    Check(kept.value()->map()->bytes() <= *medium.size());
  }
  static_cast<void>(medium.KeepChanges("new", 16));
  if (!listed.empty()) static_cast<void>(medium.RemoveKept(listed[0].name));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 + 112) return 0;
  std::vector<uint8_t> file(data + 1, data + size);
  if ((data[0] & 1) != 0) Fix(file);
  if ((data[0] & 3) == 3) Fold(file);
  // Names of files are not followed.
  std::memset(&file[8], 0, 8);

  const auto recording = std::make_shared<blk::test::Recording>();
  recording->now = file;
  recording->room = kRoom;
  auto opened = blk::OpenImage(blk::PosixHostIo(), std::make_unique<blk::test::RecorderMedium>(recording),
                               blk::ImageFormat::kQcow2);
  if (!opened.ok()) {
    Check(opened.status().why != blk::Why::kNone);
    return 0;
  }
  const auto medium = opened.Take();
  const uint64_t disk = *medium->size();
  if (disk == 0) return 0;
  blk::Attachment reader;
  reader.range = {{0}, {disk}};
  auto channel = medium->Attach(reader);
  Check(channel.ok());
  std::vector<uint8_t> first(static_cast<size_t>(std::min<uint64_t>(disk, kMostRead))), second(first.size(), 1);
  for (const uint64_t at : {uint64_t{0}, disk - first.size()}) {
    const blk::Moved one = channel.value()->Read({at}, first.data(), first.size(), {});
    const blk::Moved other = channel.value()->Read({at}, second.data(), second.size(), {});
    Check(one.bytes <= first.size() && one.bytes == other.bytes && one.status.err == other.status.err);
    Check(std::memcmp(first.data(), second.data(), one.bytes) == 0);
  }
  std::vector<blk::MediumExtent> found(64);
  uint64_t at = 0;
  for (int looks = 0; at < disk && looks < 64; looks++) {
    const auto count = channel.value()->Extents({{at}, {disk}}, blk::ExtentLayer::kAll, found, {});
    Check(count.ok() && count.value() > 0 && count.value() <= found.size());
    for (size_t i = 0; i < count.value(); i++) {
      Check(found[i].at.value == at && found[i].size > 0 && found[i].size <= disk - at);
      at += found[i].size;
    }
  }
  const auto listed = medium->ListKept();
  Check(listed.ok());
  Check(recording->now == file);
  channel.value().reset();
  Check(medium->Detach(reader).ok());

  // Written, whatever it holds, it never hangs or crashes.
  reader.write = true;
  auto writer = medium->Attach(reader);
  if (!writer.ok()) return 0;
  const size_t length = static_cast<size_t>(std::min<uint64_t>(disk, 5000));
  for (const uint64_t where : {uint64_t{0}, (disk - length) / 2, disk - length}) {
    const blk::Moved moved = writer.value()->Write({where}, first.data(), std::min(length, first.size()), {});
    Check(moved.bytes <= length);
    static_cast<void>(writer.value()->Zero({where}, length, {}));
  }
  static_cast<void>(writer.value()->Sync());
  FuzzBitmaps(*medium, listed.value());
  writer.value().reset();
  static_cast<void>(medium->Detach(reader));
  return 0;
}
