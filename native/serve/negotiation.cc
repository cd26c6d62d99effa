#include "serve/negotiation.h"

#include <algorithm>

#include "core/nbd/append.h"
#include "serve/option_data.h"
#include "serve/option_reply.h"

namespace blk::serve {
namespace {

using nbd::Option;
using nbd::OptionReply;

constexpr uint16_t kKnownFlags = nbd::kFixedNewstyle | nbd::kNoZeroes;
constexpr size_t kFlagsSize = 4;

void Acknowledge(Option option, std::vector<uint8_t>* out) { AppendReply(option, OptionReply::kAck, size_t{0}, out); }

void AppendInfo(Option option, nbd::Info info, std::string_view text, std::vector<uint8_t>* out) {
  AppendReply(option, OptionReply::kInfo, 2 + text.size(), out);
  nbd::AppendNumber(static_cast<uint16_t>(info), out);
  nbd::AppendText(text, out);
}

template <typename Message>
void AppendInfo(Option option, nbd::Info info, const Message& message, std::vector<uint8_t>* out) {
  AppendReply(option, OptionReply::kInfo, 2 + Message::kSize, out);
  nbd::AppendNumber(static_cast<uint16_t>(info), out);
  nbd::AppendMessage(message, out);
}

void AppendContext(Option option, uint32_t id, std::string_view name, std::vector<uint8_t>* out) {
  AppendReply(option, OptionReply::kMetaContext, 4 + name.size(), out);
  nbd::AppendNumber(id, out);
  nbd::AppendText(name, out);
}

// Those that an option has named; only one that sets them gives them numbers.
void AppendContexts(Option option, const Contexts& contexts, const ExportFacts& facts, std::vector<uint8_t>* out) {
  const bool sets = option == Option::kSetMetaContext;
  if (contexts.allocation) AppendContext(option, sets ? kAllocationId : 0, nbd::kAllocationContext, out);
  for (const size_t bitmap : contexts.bitmaps) {
    const uint32_t id = kFirstBitmapId + static_cast<uint32_t>(bitmap);
    AppendContext(option, sets ? id : 0, nbd::kBitmapContext + facts.bitmaps[bitmap], out);
  }
}

}  // namespace

void Negotiation::Greet(std::vector<uint8_t>* out) {
  nbd::Greeting greeting;
  greeting.flags = kKnownFlags;
  nbd::AppendMessage(greeting, out);
}

size_t Negotiation::Take(Data in, std::vector<uint8_t>* out) {
  if (state_ == State::kFlags) {
    if (in.size() < kFlagsSize) return 0;
    TakeFlags(in);
    return kFlagsSize;
  }
  if (skip_ > 0) {
    const size_t taken = std::min<size_t>(skip_, in.size());
    skip_ -= static_cast<uint32_t>(taken);
    return taken;
  }
  return in.size() < nbd::OptionHeader::kSize ? 0 : TakeOption(in, out);
}

void Negotiation::TakeFlags(Data in) {
  const uint32_t flags = OptionData(in.first(kFlagsSize)).Number32();
  no_zeroes_ = (flags & nbd::kNoZeroes) != 0;
  // A client that knows no fixed newstyle can still choose by EXPORT_NAME.
  state_ = (flags & ~uint32_t{kKnownFlags}) == 0 ? State::kOptions : State::kBroken;
}

size_t Negotiation::TakeOption(Data in, std::vector<uint8_t>* out) {
  const auto header = nbd::Decode<nbd::OptionHeader>(in.data());
  const auto option = static_cast<Option>(header.option);
  const bool too_long = header.length > kMaxOptionData;
  if (header.magic != nbd::kOptionMagic || (too_long && header.length > kMaxSkipped)) {
    state_ = State::kBroken;
    return in.size();
  }
  const size_t size = nbd::OptionHeader::kSize + (too_long ? 0 : header.length);
  if (in.size() < size) return 0;
  if (++options_ > kMaxOptions) {
    AppendReply(option, OptionReply::kErrPolicy, "too many options", out);
    state_ = State::kBroken;
  } else if (too_long && option == Option::kExportName) {
    state_ = State::kBroken;  // it has no answer that says no
  } else if (too_long) {
    AppendReply(option, OptionReply::kErrTooBig, "too long", out);
    skip_ = header.length;
  } else {
    Answer(option, in.subspan(nbd::OptionHeader::kSize, header.length), out);
  }
  return size;
}

void Negotiation::Answer(Option option, Data data, std::vector<uint8_t>* out) {
  switch (option) {
    case Option::kExportName: return ChooseByName(data, out);
    case Option::kAbort:
      Acknowledge(option, out);
      state_ = State::kOver;
      return;
    case Option::kList: return List(data, out);
    case Option::kInfo:
    case Option::kGo: return Inform(option, data, out);
    case Option::kStructuredReply: return Structure(data, out);
    case Option::kListMetaContext:
    case Option::kSetMetaContext: return MetaContexts(option, data, out);
    case Option::kStartTls: return AppendReply(option, OptionReply::kErrPolicy, "this server has no TLS", out);
    case Option::kExtendedHeaders: break;
  }
  AppendReply(option, OptionReply::kErrUnsupported, "unknown option", out);
}

std::optional<size_t> Negotiation::Find(std::string_view name) const {
  for (size_t i = 0; i < exports_.size(); i++) {
    if (exports_[i].name == name) return i;
  }
  return name.empty() ? nameless_ : std::nullopt;
}

void Negotiation::ChooseByName(Data data, std::vector<uint8_t>* out) {
  const auto found = Find({reinterpret_cast<const char*>(data.data()), data.size()});
  if (!found) {
    state_ = State::kBroken;
    return;
  }
  Choose(*found);
  const ExportFacts& facts = exports_[*found];
  nbd::AppendMessage(nbd::ExportInfo{facts.size, facts.Flags(session_.structured)}, out);
  if (!no_zeroes_) out->resize(out->size() + nbd::kExportNamePadding);
}

void Negotiation::Choose(size_t index) {
  session_.export_index = index;
  // Contexts hold for the export that they were asked of, and for no other.
  if (session_.structured && context_of_ == index) session_.contexts = contexts_;
  state_ = State::kTransmission;
}

void Negotiation::List(Data data, std::vector<uint8_t>* out) {
  if (!data.empty()) return AppendReply(Option::kList, OptionReply::kErrInvalid, "LIST has no data", out);
  for (const ExportFacts& facts : exports_) {
    AppendReply(Option::kList, OptionReply::kServer, 4 + facts.name.size() + facts.description.size(), out);
    nbd::AppendString(facts.name, out);
    nbd::AppendText(facts.description, out);
  }
  Acknowledge(Option::kList, out);
}

void Negotiation::Inform(Option option, Data data, std::vector<uint8_t>* out) {
  OptionData reader(data);
  const std::string_view name = reader.String();
  bool wants_name = false;
  bool wants_description = false;
  for (unsigned left = reader.Number16(); left > 0 && reader.ok(); left--) {
    const auto info = static_cast<nbd::Info>(reader.Number16());
    wants_name |= info == nbd::Info::kName;
    wants_description |= info == nbd::Info::kDescription;
  }
  if (!reader.complete()) return AppendReply(option, OptionReply::kErrInvalid, "lengths that contradict", out);
  const auto found = Find(name);
  if (!found) return AppendReply(option, OptionReply::kErrUnknown, "no such export", out);
  const ExportFacts& facts = exports_[*found];
  AppendInfo(option, nbd::Info::kExport, nbd::ExportInfo{facts.size, facts.Flags(session_.structured)}, out);
  if (wants_name) AppendInfo(option, nbd::Info::kName, std::string_view(facts.name), out);
  if (wants_description && !facts.description.empty()) {
    AppendInfo(option, nbd::Info::kDescription, std::string_view(facts.description), out);
  }
  AppendInfo(option, nbd::Info::kBlockSize, facts.sizes, out);
  Acknowledge(option, out);
  if (option == Option::kGo) Choose(*found);
}

void Negotiation::Structure(Data data, std::vector<uint8_t>* out) {
  const Option option = Option::kStructuredReply;
  if (!data.empty()) return AppendReply(option, OptionReply::kErrInvalid, "STRUCTURED_REPLY has no data", out);
  session_.structured = true;
  Acknowledge(option, out);
}

void Negotiation::MetaContexts(Option option, Data data, std::vector<uint8_t>* out) {
  const bool sets = option == Option::kSetMetaContext;
  // Each replaces the one before, also when it fails.
  if (sets) context_of_.reset();
  if (!session_.structured) return AppendReply(option, OptionReply::kErrInvalid, "needs structured replies", out);
  OptionData reader(data);
  const std::string_view name = reader.String();
  const auto found = Find(name);
  ContextQueries asked(found ? std::span(exports_[*found].bitmaps) : std::span<const std::string>(), !sets);
  const uint32_t queries = reader.Number32();
  if (!sets && queries == 0) asked.AddAll();
  for (uint32_t left = queries; left > 0 && reader.ok(); left--) asked.Add(reader.String());
  if (!reader.complete()) return AppendReply(option, OptionReply::kErrInvalid, "lengths that contradict", out);
  if (!found) return AppendReply(option, OptionReply::kErrUnknown, "no such export", out);
  const Contexts contexts = asked.Take();
  AppendContexts(option, contexts, exports_[*found], out);
  if (sets) {
    context_of_ = found;
    contexts_ = contexts;
  }
  Acknowledge(option, out);
}

}  // namespace blk::serve
