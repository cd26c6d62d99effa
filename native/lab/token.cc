// Tokens: a choice in words. `rbl1.<digest>.<cut>.<runs>`: base64url of lengths of runs of units, lost first, each a
// LEB128 number; then `~<kind>.<unit>.<seed>` for each tear, and what the model is like where it is not as usual: `~p`
// a process that ended, `~d` discards that leave anything, `~c` neighbours that count.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>

#include "lab/cut.h"

namespace blk::lab {
namespace {

constexpr std::string_view kPrefix = "rbl1.";
constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string ToBase64(const std::vector<uint8_t>& bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t word = 0;
    for (size_t k = 0; k < 3; k++) word = word << 8 | (k < n ? bytes[i + k] : 0U);
    for (size_t k = 0; k <= n; k++) text += kDigits[word >> (18 - 6 * k) & 63];
  }
  return text;
}

std::optional<std::vector<uint8_t>> FromBase64(std::string_view text) {
  std::vector<uint8_t> bytes;
  uint32_t word = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    word = (word << 6 | static_cast<uint32_t>(digit)) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<uint8_t>(word >> bits));
  }
  return bytes;
}

// Takes `text` up to `end`, which goes too.
std::string_view Take(std::string_view& text, char end) {
  const size_t at = std::min(text.find(end), text.size());
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return taken;
}

template <typename Number>
bool Parse(std::string_view text, int base, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// Fills in the kept units by the lengths of runs. -> false: they are not for so many units.
bool FillRuns(const std::vector<uint8_t>& runs, size_t units, std::vector<uint64_t>* kept) {
  kept->assign((units + 63) / 64, 0);
  uint64_t at = 0;
  bool keeps = false;
  for (size_t i = 0; i < runs.size(); keeps = !keeps) {
    const bool first = i == 0;
    uint64_t length = 0;
    for (unsigned shift = 0;; shift += 7) {
      if (i == runs.size() || shift > 28) return false;
      length |= uint64_t{runs[i] & 0x7fU} << shift;
      if ((runs[i++] & 0x80) == 0) break;
    }
    // Only of the first there may be none: a choice has one token.
    if (length > units - at || (length == 0 && !first)) return false;
    for (const uint64_t stop = at + length; at < stop; at++) {
      if (keeps) (*kept)[at / 64] |= uint64_t{1} << (at % 64);
    }
  }
  return at == units;
}

bool ParseTear(std::string_view text, size_t units, Tear* tear) {
  uint8_t kind = 0;
  const bool parsed =
      Parse(Take(text, '.'), 10, &kind) && Parse(Take(text, '.'), 10, &tear->unit) && Parse(text, 10, &tear->seed);
  if (!parsed || kind > static_cast<uint8_t>(TearKind::kWords) || tear->unit >= units) return false;
  tear->kind = static_cast<TearKind>(kind);
  return true;
}

}  // namespace

bool SameToDigest(const Event& a, const Event& b) {
  return a.kind == b.kind && a.device == b.device && a.at == b.at && a.length == b.length && a.promise == b.promise;
}

uint32_t DigestOf(const Model& model, uint64_t cut) {
  uint64_t digest = model.unit();
  for (size_t i = 0, stop = model.EventsBefore(cut); i < stop; i++) {
    const Event& event = model.events()[i];
    if (event.kind == Kind::kMark) continue;
    const uint64_t what =
        uint64_t{event.device} << 16 | static_cast<uint64_t>(event.kind) << 8 | static_cast<uint64_t>(event.promise);
    digest = Mix(Mix(digest, what), Mix(event.at, event.length));
  }
  return static_cast<uint32_t>(digest ^ digest >> 32);
}

std::string DigestText(const Model& model, uint64_t cut) {
  std::string digest(8, '0');
  uint32_t number = DigestOf(model, cut);
  for (size_t i = 8; i-- > 0; number >>= 4) digest[i] = "0123456789abcdef"[number & 15];
  return digest;
}

std::string Choice::Token() const {
  std::vector<uint8_t> runs;
  bool keeps = false;
  for (uint32_t unit = 0; unit < cut_->units.size(); keeps = !keeps) {
    uint32_t length = 0;
    for (; unit < cut_->units.size() && Keeps(unit) == keeps; unit++) length++;
    for (; length >= 0x80; length >>= 7) runs.push_back(static_cast<uint8_t>(length | 0x80));
    runs.push_back(static_cast<uint8_t>(length));
  }
  std::string token =
      std::string(kPrefix) + DigestText(*cut_->model, cut_->at) + "." + std::to_string(cut_->at) + "." + ToBase64(runs);
  for (const Tear& tear : tears_) {
    token += "~" + std::to_string(static_cast<unsigned>(tear.kind)) + "." + std::to_string(tear.unit) + "." +
             std::to_string(tear.seed);
  }
  const Model::Setting& setting = cut_->model->setting();
  if (setting.process) token += "~p";
  if (setting.discards_any) token += "~d";
  if (setting.collateral) token += "~c";
  return token;
}

Model::Setting Choice::SettingOf(const std::string& token) {
  const auto has = [&](std::string_view section) {
    const size_t at = token.find(section);
    return at != std::string::npos && (at + section.size() == token.size() || token[at + section.size()] == '~');
  };
  Model::Setting setting;
  setting.process = has("~p");
  setting.discards_any = has("~d");
  setting.collateral = has("~c");
  return setting;
}

Result<std::shared_ptr<const Choice>> Choice::FromToken(std::shared_ptr<const Model> model, const std::string& token) {
  const Status wrong{EINVAL, Op::kTrack};
  std::string_view rest = token;
  if (rest.substr(0, kPrefix.size()) != kPrefix) return wrong;
  rest.remove_prefix(kPrefix.size());
  const std::string_view digits = Take(rest, '.');
  uint32_t digest = 0;
  uint64_t at = 0;
  if (digits.size() != 8 || !Parse(digits, 16, &digest) || !Parse(Take(rest, '.'), 10, &at) || at == 0) return wrong;
  const auto runs = FromBase64(Take(rest, '~'));
  if (!runs) return wrong;
  // Behind the end there is nothing: fewer events than it was made of.
  if (at > model->end() || DigestOf(*model, at) != digest) return Status{ESTALE, Op::kTrack};
  auto cut = Cut::Make(std::move(model), at);
  std::vector<uint64_t> kept;
  if (!FillRuns(*runs, cut->units.size(), &kept)) return wrong;
  std::vector<Tear> tears;
  while (!rest.empty()) {
    const std::string_view section = Take(rest, '~');
    if (section == "p" || section == "d" || section == "c") continue;
    Tear tear;
    if (!ParseTear(section, cut->units.size(), &tear)) return wrong;
    if (!tears.empty() && tears.back().unit >= tear.unit) return wrong;
    tears.push_back(tear);
  }
  return std::shared_ptr<const Choice>(std::make_shared<Choice>(std::move(cut), std::move(kept), std::move(tears)));
}

}  // namespace blk::lab
