#include "core/image/backing.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/medium/host_medium.h"

namespace blk {
namespace {

Result<ImageFormat> FormatOf(const Qcow2Header& header) {
  const std::string& format = header.backing_format;
  if (format.empty() || format == "raw" || format == "file" || format == "host_device") return ImageFormat::kRaw;
  if (format == "qcow2") return ImageFormat::kQcow2;
  if (format == "vpc") return ImageFormat::kVhd;
  return Status{ENOTSUP, Op::kOpen, Why::kBackingFormat};
}

// As QEMU's programs name one: by a URL, or in the way that was before that.
bool NamesExport(const std::string& name) { return name.rfind("nbd:", 0) == 0 || name.rfind("nbd+", 0) == 0; }

Status Explained(Status status) {
  if (status.why == Why::kNone) status.why = Why::kBackingMissing;
  return status;
}

}  // namespace

// QEMU takes what stands before a colon for a protocol, unless a slash stands before that.
std::string BackingPath(const std::string& path, const std::string& name) {
  std::string plain = name;
  if (plain.rfind("file:", 0) == 0) plain.erase(0, 5);
  const size_t colon = plain.find(':');
  if (plain.empty() || plain.find('\0') != std::string::npos ||
      (colon != std::string::npos && colon < plain.find('/'))) {
    return "";
  }
  if (plain.front() == '/') return plain;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? plain : path.substr(0, slash + 1) + plain;
}

Result<std::unique_ptr<Backing>> Backing::Open(HostIo& host, const std::string& path, const Qcow2Header& header,
                                               const ImageChain& chain, bool lock) {
  const std::string below = BackingPath(path, header.backing);
  if (below.empty()) {
    return Status{ENOTSUP, Op::kOpen, NamesExport(header.backing) ? Why::kBackingExport : Why::kBackingName};
  }
  const Result<ImageFormat> format = FormatOf(header);
  if (!format.ok()) return format.status();
  auto file = HostMedium::Create(host, below);
  if (!file.ok()) return Explained(file.status());
  const MediumIdentity identity = file.value()->identity();
  if (std::find(chain.above.begin(), chain.above.end(), identity) != chain.above.end()) {
    return Status{ELOOP, Op::kOpen, Why::kBackingLoop};
  }
  if (chain.above.size() >= kMaxChain) return Status{ELOOP, Op::kOpen, Why::kBackingDepth};
  ImageChain down = chain;
  down.above.push_back(identity);
  down.counts = ReadCounts();
  auto medium = chain.open(host, file.Take(), format.value(), std::move(down));
  if (!medium.ok()) return Explained(medium.status());
  auto backing = Over(medium.Take(), chain.counts, lock);
  if (!backing.ok()) return Explained(backing.status());
  return backing;
}

Result<std::unique_ptr<Backing>> Backing::Take(GivenBacking given, const Qcow2Header& header, ReadCounts counts,
                                               bool lock) {
  const Result<ImageFormat> format = FormatOf(header);
  if (!format.ok()) return format.status();
  if (header.backing != given.name || static_cast<uint8_t>(format.value()) != given.medium->identity().format) {
    return Status{ESTALE, Op::kOpen, Why::kOverlayOtherBase};
  }
  return Over(std::move(given.medium), std::move(counts), lock);
}

Result<std::unique_ptr<Backing>> Backing::Over(std::unique_ptr<Medium> medium, ReadCounts counts, bool lock) {
  if (!medium->size()) return Status{EINVAL, Op::kOpen, Why::kNoImageSize};
  Attachment attachment;
  attachment.lock = lock;
  attachment.range = {{0}, {kMaxSafeInteger}};
  const uint64_t size = *medium->size();
  std::unique_ptr<Backing> backing(new Backing(std::move(medium), size, attachment, std::move(counts)));
  auto channel = backing->medium_->Attach(attachment);
  if (!channel.ok()) return channel.status();
  backing->channel_ = channel.Take();
  return backing;
}

Backing::~Backing() {
  // Whatever was written through it was synced by its writer, who has that error: no bytes depend on these.
  if (channel_) {
    channel_.reset();
    static_cast<void>(medium_->Detach(attachment_));
  }
  static_cast<void>(medium_->Close());
}

Moved Backing::Read(uint64_t at, uint8_t* data, size_t size, const PieceRules& rules) {
  const auto there = static_cast<size_t>(at >= size_ ? 0 : std::min<uint64_t>(size, size_ - at));
  if (there > 0) {
    const Moved moved = ReadInside(at, data, there, rules);
    if (!moved.status.ok()) return moved;
  }
  std::memset(data + there, 0, size - there);
  return {size, Status::Ok()};
}

MediumSpan Backing::NextData(MediumSpan within) {
  const uint64_t end = std::min(within.end.value, size_);
  if (within.begin.value >= end) return {within.end, within.end};
  const MediumSpan data = channel_->NextData({within.begin, {end}});
  return data.empty() ? MediumSpan{within.end, within.end} : data;
}

Result<std::unique_ptr<Backing::Writer>> Backing::Writer::Open(Backing& backing) {
  Attachment wanted = backing.attachment_;
  wanted.write = wanted.lock = true;
  auto channel = backing.medium_->Attach(wanted);
  if (!channel.ok()) return channel.status();
  return std::unique_ptr<Writer>(new Writer(*backing.medium_, wanted, channel.Take()));
}

Backing::Writer::~Writer() { static_cast<void>(Close()); }

Status Backing::Writer::Close() {
  if (!channel_) return Status::Ok();
  channel_.reset();
  return medium_.Detach(attachment_);
}

}  // namespace blk
