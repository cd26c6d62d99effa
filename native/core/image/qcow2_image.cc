#include "core/image/qcow2_image.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/image/image_file.h"

namespace blk {

Result<std::unique_ptr<Qcow2Image>> Qcow2Image::Create(HostIo& host, Medium& file, const ImageChain& chain, bool lock,
                                                       GivenBacking given) {
  const Result<uint64_t> size = file.SizeNow();
  if (!size.ok()) return size.status();
  Result<Qcow2Header> header = ReadQcow2Header(file, size.value());
  if (!header.ok()) return header.status();
  std::unique_ptr<Qcow2Image> image(new Qcow2Image(file, header.Take()));
  auto tables = Qcow2Tables::Create(file, image->header_, size.value());
  if (!tables.ok()) return tables.status();
  image->tables_ = tables.Take();
  if (!image->header_.backing.empty()) {
    auto backing = given.medium ? Backing::Take(std::move(given), image->header_, chain.counts, lock)
                                : Backing::Open(host, file.name(), image->header_, chain, lock);
    if (!backing.ok()) return backing.status();
    image->backing_ = backing.Take();
  }
  return image;
}

Status Qcow2Image::Reload() {
  const Result<uint64_t> size = file_.SizeNow();
  if (!size.ok()) return size.status();
  const Result<Qcow2Header> header = ReadQcow2Header(file_, size.value());
  if (!header.ok()) return header.status();
  if (header.value() != header_) return {ESTALE, Op::kOpen, Why::kQcow2Changed};
  return tables_->Reload(file_, size.value());
}

Moved Qcow2Image::ReadRun(Channel& file, const Qcow2Run& run, uint64_t at, uint8_t* data, size_t size,
                          const PieceRules& rules) {
  switch (run.kind) {
    case RunKind::kData: return ReadImageFile(file_, file, {run.host}, data, size, rules);
    case RunKind::kCompressed: {
      const Status status = compressed_.Read(file_, file, run, at % header_.cluster_size(), data, size);
      return {status.ok() ? size : 0, status};
    }
    case RunKind::kBacking:
      if (backing_) return backing_->Read(at, data, size, rules);
      break;
    case RunKind::kZero: break;
  }
  std::memset(data, 0, size);
  return {size, Status::Ok()};
}

Moved Qcow2Image::Read(Channel& file, uint64_t at, uint8_t* data, size_t size, const PieceRules& rules) {
  if (rules.nowait) return ReadNow(file, at, data, size, rules);
  size_t done = 0;
  while (done < size) {
    if (IsCancelled(rules.cancel)) return {done, {ECANCELED, Op::kPread}};
    const Result<Qcow2Run> run = tables_->Map(file, at + done, size - done);
    if (!run.ok()) return {done, run.status()};
    const auto part = static_cast<size_t>(run.value().size);
    const Moved moved = ReadRun(file, run.value(), at + done, data + done, part, rules);
    done += moved.bytes;
    if (!moved.status.ok()) return {done, moved.status};
  }
  return {done, Status::Ok()};
}

// All of it or nothing: what is one run, whose place is known.
Moved Qcow2Image::ReadNow(Channel& file, uint64_t at, uint8_t* data, size_t size, const PieceRules& rules) {
  const Moved later = {0, {EAGAIN, Op::kPread}};
  const auto run = tables_->MapCached(at, size);
  if (!run || !run->ok() || run->value().size < size || run->value().kind == RunKind::kCompressed) return later;
  if (run->value().kind == RunKind::kData) return file.Read({run->value().host}, data, size, rules);
  if (run->value().kind == RunKind::kBacking && backing_) {
    if (at + size > backing_->size()) return later;
    return backing_->ReadInside(at, data, size, rules);
  }
  return ReadRun(file, run->value(), at, data, size, rules);
}

Result<size_t> Qcow2Image::ExtentsBelow(MediumSpan span, std::span<MediumExtent> found, const PieceRules& rules) {
  const MediumOffset end{std::clamp(backing_->size(), span.begin.value, span.end.value)};
  if (span.begin.value == end.value) {
    // Behind the end of what lies below: nobody has anything there.
    found[0] = {span.begin, span.end.value - span.begin.value, ExtentType::kHole, 0, kNoHostOffset, false};
    return size_t{1};
  }
  const Result<size_t> count = backing_->channel().Extents({span.begin, end}, ExtentLayer::kAll, found, rules);
  if (!count.ok()) return count;
  for (size_t i = 0; i < count.value(); i++) found[i].depth++;
  return count;
}

Result<size_t> Qcow2Image::Extents(Channel& file, MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                                   const PieceRules& rules) {
  size_t count = 0;
  uint64_t at = within.begin.value;
  while (at < within.end.value && count < found.size()) {
    if (IsCancelled(rules.cancel)) return Status{ECANCELED, Op::kStat};
    const Result<Qcow2Run> mapped = tables_->Map(file, at, within.end.value - at);
    // What cannot be known is data; whoever reads it hears why.
    const Qcow2Run run = mapped.ok() ? mapped.value() : Qcow2Run{RunKind::kData, 0, 0, 0, 0, true};
    uint64_t size = mapped.ok() ? run.size : within.end.value - at;
    const bool is_nothing = run.kind == RunKind::kBacking && layer == ExtentLayer::kAll && !backing_;
    // Zeros with a place of their own have one for each cluster.
    const bool has_place = run.cluster != 0 && (run.kind == RunKind::kZero || is_nothing);
    const uint64_t in_cluster = at % header_.cluster_size();
    if (has_place) size = std::min(size, header_.cluster_size() - in_cluster);
    MediumExtent extent = {{at}, size, ExtentType::kData, 0, kNoHostOffset};
    extent.present = !is_nothing;
    if (run.kind == RunKind::kData && mapped.ok()) extent.host_offset = run.host;
    if (has_place) extent.host_offset = run.cluster + in_cluster;
    if (run.kind == RunKind::kZero) extent.type = run.cluster == 0 ? ExtentType::kHole : ExtentType::kZero;
    if (run.kind == RunKind::kBacking) {
      extent.type = layer == ExtentLayer::kTop ? ExtentType::kUnallocated : ExtentType::kHole;
      if (layer == ExtentLayer::kAll && backing_) {
        const Result<size_t> below = ExtentsBelow({{at}, {at + size}}, found.subspan(count), rules);
        if (!below.ok()) return below;
        count += below.value();
        at = found[count - 1].at.value + found[count - 1].size;
        continue;
      }
    }
    found[count++] = extent;
    at += size;
  }
  return count;
}

}  // namespace blk
