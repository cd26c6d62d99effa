// ReplyParser: right replies cut at every byte, and each that is wrong.
#include "core/nbd/reply_parser.h"

#include <algorithm>
#include <map>
#include <vector>

#include "test/support/check.h"
#include "test/support/nbd_wire.h"

namespace blk::nbd {
namespace {

using namespace blk::test;

// Requests under way by cookie, and those that are over.
struct Book final : ReplyBook {
  PendingReply* Find(uint64_t cookie) override {
    const auto found = open.find(cookie);
    return found == open.end() ? nullptr : &found->second;
  }
  void Finish(uint64_t cookie) override {
    over.insert(open.extract(cookie));
    order.push_back(cookie);
  }
  PendingReply& Add(uint64_t cookie, Command command, uint64_t offset, uint32_t length) {
    PendingReply& reply = open[cookie];
    reply.command = command;
    reply.offset = offset;
    reply.length = length;
    if (command == Command::kRead) {
      memory[cookie].assign(length, 0xee);
      reply.data = memory[cookie].data();
    }
    return reply;
  }
  std::map<uint64_t, PendingReply> open, over;
  std::map<uint64_t, Bytes> memory;
  std::vector<uint64_t> order;
};

// A read of 8 bytes at 100 by cookie 1, one of 100,000 by 2, a write by 3, a status of 4096 by 4.
void Fill(Book& book) {
  book.Add(1, Command::kRead, 100, 8);
  book.Add(2, Command::kRead, 0, 100000);
  book.Add(3, Command::kWrite, 0, 8);
  book.Add(4, Command::kBlockStatus, 0, 4096);
}

Status Feed(ReplyParser& parser, const Bytes& bytes, size_t step) {
  for (size_t at = 0; at < bytes.size();) {
    const auto direct = parser.Direct();
    const size_t some = std::min(step, bytes.size() - at);
    const size_t in_place = std::min(some, direct.size());
    std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(at), in_place, direct.begin());
    Status status = parser.TookDirect(in_place);
    if (status.ok()) status = parser.TakeIn(std::span(bytes).subspan(at + in_place, some - in_place));
    if (!status.ok()) return status;
    at += some;
  }
  return Status::Ok();
}

TEST_CASE("reply parser: structured replies, interleaved and out of order, however they are cut") {
  const Bytes first = {1, 2, 3, 4, 5, 6, 7, 8};
  Bytes large(100000);
  for (size_t i = 0; i < large.size(); i++) large[i] = static_cast<uint8_t>(i * 7);
  std::fill(large.begin() + 90000, large.end(), uint8_t{0});
  const auto slice = [](const Bytes& from, ptrdiff_t begin, ptrdiff_t end) {
    return Bytes(from.begin() + begin, from.begin() + end);
  };
  const Bytes bytes = DataChunk(1, 104, slice(first, 4, 8), false) + HoleChunkBytes(2, 90000, 10000, false) +
                      NoneChunk(3) + DataChunk(2, 0, slice(large, 0, 90000), false) +
                      StatusChunk(4, kTestContext, {{1024, 0}, {1024, 0}, {8192, 3}}, true) +
                      DataChunk(1, 100, slice(first, 0, 4), true) + NoneChunk(2);
  for (const size_t step : {size_t{1}, size_t{3}, size_t{19}, size_t{4096}, size_t{70000}, bytes.size()}) {
    CAPTURE(step);
    Book book;
    Fill(book);
    ReplyParser parser(true, kTestContext, book);
    REQUIRE(Feed(parser, bytes, step).ok());
    CHECK(parser.between());
    CHECK(book.open.empty());
    CHECK(book.memory[1] == first);
    CHECK(book.memory[2] == large);
    REQUIRE(book.over[4].extents.size() == 2);
    CHECK(book.over[4].extents[0].length == 2048);
    CHECK(book.order == std::vector<uint64_t>{3, 4, 1, 2});
  }
}

TEST_CASE("reply parser: simple replies, cut at every byte") {
  const Bytes first = {1, 2, 3, 4, 5, 6, 7, 8};
  const Bytes bytes = SimpleReplyBytes(3, 28) + SimpleReplyBytes(1, 0, first) + SimpleReplyBytes(2, 5);
  for (size_t step = 1; step <= bytes.size(); step++) {
    Book book;
    Fill(book);
    ReplyParser parser(false, std::nullopt, book);
    REQUIRE(Feed(parser, bytes, step).ok());
    CHECK(book.memory[1] == first);
    CHECK(book.over[3].error == 28);
    CHECK(book.over[2].error == 5);
    CHECK(book.memory[2] == Bytes(100000, 0xee));
  }
}

TEST_CASE("reply parser: errors in chunks, with a message, with an offset, of a kind that is not known") {
  const auto error = [](uint64_t cookie, uint16_t type, const Bytes& payload) {
    return ChunkBytes(cookie, static_cast<Chunk>(type), payload, true);
  };
  const Bytes message = {'w', 'h', 'y'};
  const Bytes head = BytesOfNumber(uint32_t{28}) + BytesOfNumber(uint16_t{3}) + message;
  Book book;
  Fill(book);
  ReplyParser parser(true, kTestContext, book);
  const Bytes bytes = error(3, 0x8001, head) + error(1, 0x8002, head + BytesOfNumber(uint64_t{104})) +
                      error(2, 0x8077, head + Bytes(5)) + ErrorChunk(4, 22);
  REQUIRE(Feed(parser, bytes, 1).ok());
  for (const uint64_t cookie : {1, 2, 3}) CHECK(book.over[cookie].error == 28);
  CHECK(book.over[4].error == 22);
}

TEST_CASE("reply parser: a simple reply may answer what is no read, also where chunks were agreed on") {
  Book book;
  Fill(book);
  ReplyParser parser(true, kTestContext, book);
  REQUIRE(Feed(parser, SimpleReplyBytes(3, 0) + SimpleReplyBytes(4, 22), 5).ok());
  CHECK(book.over.size() == 2);
}

TEST_CASE("reply parser: data of a read that nobody wants any more is thrown away") {
  Book book;
  book.Add(2, Command::kRead, 0, 100000).data = nullptr;
  ReplyParser parser(true, std::nullopt, book);
  CHECK(Feed(parser, DataChunk(2, 0, Bytes(90000, 1), false) + HoleChunkBytes(2, 90000, 10000, true), 70000).ok());
  CHECK(book.over.size() == 1);
  CHECK(book.memory[2] == Bytes(100000, 0xee));
}

TEST_CASE("reply parser: whatever is wrong ends the connection") {
  Bytes magic = NoneChunk(3);
  magic[0]++;
  Bytes empty = ChunkBytes(1, Chunk::kOffsetData, BytesOfNumber(uint64_t{100}), true);
  const Bytes eight(8, 1);
  const std::vector<std::pair<const char*, Bytes>> all = {
      {"magic", magic},
      {"no such cookie", NoneChunk(77)},
      {"answered twice", NoneChunk(3) + NoneChunk(3)},
      {"a simple reply to a read", SimpleReplyBytes(1, 0, eight)},
      {"a simple error to a read", SimpleReplyBytes(1, 5)},
      {"simple behind chunks", StatusChunk(4, kTestContext, {{4096, 0}}, false) + SimpleReplyBytes(4, 0)},
      {"a simple success of a status", SimpleReplyBytes(4, 0)},
      {"nothing read", NoneChunk(1)},
      {"too little read", DataChunk(1, 100, Bytes(7), true)},
      {"the end is missing", DataChunk(1, 100, Bytes(4), false) + DataChunk(1, 105, Bytes(3), true)},
      {"twice the same", DataChunk(1, 100, Bytes(4), false) + DataChunk(1, 103, Bytes(5), true)},
      {"twice, by a hole", DataChunk(1, 100, Bytes(8), false) + HoleChunkBytes(1, 100, 8, true)},
      {"before the request", DataChunk(1, 99, Bytes(8), true)},
      {"behind the request", DataChunk(1, 101, Bytes(8), true)},
      {"far behind", DataChunk(1, UINT64_MAX - 3, Bytes(8), true)},
      {"more than the request", DataChunk(1, 100, Bytes(9), true)},
      {"no data", empty},
      {"an empty hole", HoleChunkBytes(1, 100, 0, true)},
      {"a hole too long", HoleChunkBytes(1, 100, UINT32_MAX, true)},
      {"a hole of another length", ChunkBytes(1, Chunk::kOffsetHole, Bytes(11), true)},
      {"data for a write", DataChunk(3, 0, eight, true)},
      {"a hole for a status", HoleChunkBytes(4, 0, 8, true)},
      {"a status for a read", StatusChunk(1, kTestContext, {{8, 0}}, true)},
      {"another context", StatusChunk(4, kTestContext + 1, {{4096, 0}}, true)},
      {"no extent", StatusChunk(4, kTestContext, {}, true)},
      {"an empty extent", StatusChunk(4, kTestContext, {{0, 0}}, true)},
      {"an extent behind the end", StatusChunk(4, kTestContext, {{4096, 0}, {4096, 1}}, true)},
      {"half an extent", ChunkBytes(4, Chunk::kBlockStatus, Bytes(15), true)},
      {"two statuses",
       StatusChunk(4, kTestContext, {{4096, 0}}, false) + StatusChunk(4, kTestContext, {{4096, 0}}, true)},
      {"no status", NoneChunk(4)},
      {"nothing with something", ChunkBytes(3, Chunk::kNone, Bytes(1), true)},
      {"nothing, and not the end", ChunkBytes(3, Chunk::kNone, {}, false)},
      {"a chunk that is not known", ChunkBytes(3, static_cast<Chunk>(77), Bytes(8), true)},
      {"an error without a number", ErrorChunk(3, 0)},
      {"an error too short", ChunkBytes(3, Chunk::kError, Bytes(5), true)},
      {"an error with too long a message",
       ChunkBytes(3, Chunk::kError, BytesOfNumber(uint32_t{5}) + BytesOfNumber(uint16_t{9}) + Bytes(3), true)},
      {"an error with more behind it",
       ChunkBytes(3, Chunk::kError, BytesOfNumber(uint32_t{5}) + BytesOfNumber(uint16_t{1}) + Bytes(3), true)},
      {"an error of a megabyte", ChunkBytes(3, Chunk::kError, Bytes(1 << 20, 1), true)},
  };
  for (const auto& [name, bytes] : all) {
    INFO(name);
    for (const size_t step : {size_t{1}, bytes.size()}) {
      Book book;
      Fill(book);
      ReplyParser parser(true, kTestContext, book);
      CHECK(Feed(parser, bytes, step).err == EPROTO);
    }
  }
}

TEST_CASE("reply parser: chunks that were not agreed on, and an unheard-of number of stretches") {
  Book book;
  Fill(book);
  ReplyParser simple(false, std::nullopt, book);
  CHECK(Feed(simple, NoneChunk(3), 1).err == EPROTO);
  ReplyParser no_context(true, std::nullopt, book);
  CHECK(Feed(no_context, StatusChunk(4, 0, {{4096, 0}}, true), 1).err == EPROTO);
  ReplyParser parser(true, std::nullopt, book);
  Status status;
  for (uint64_t at = 0; at < 100000 && status.ok(); at += 2) {
    status = Feed(parser, DataChunk(2, at, Bytes(1), false), 64);
  }
  CHECK(status.err == EPROTO);
}

TEST_CASE("coverage: any order of stretches, and no byte twice") {
  for (uint64_t seed = 1; seed < 200; seed++) {
    uint64_t random = seed;
    const auto next = [&](uint64_t below) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      return (random >> 33) % below;
    };
    Coverage coverage;
    std::vector<bool> model(64);
    for (int i = 0; i < 200; i++) {
      const auto begin = static_cast<uint32_t>(next(64));
      const auto end = static_cast<uint32_t>(std::min<uint64_t>(64, begin + 1 + next(6)));
      const bool free = std::none_of(model.begin() + begin, model.begin() + end, [](bool bit) { return bit; });
      Coverage trial = coverage;
      REQUIRE(trial.Add(begin, end) == free);
      if (!free) continue;
      coverage = trial;
      std::fill(model.begin() + begin, model.begin() + end, true);
      const auto first_gap = static_cast<uint32_t>(std::find(model.begin(), model.end(), false) - model.begin());
      for (uint32_t length = 1; length <= 64; length++) {
        const bool all =
            first_gap == length && std::none_of(model.begin() + length, model.end(), [](bool b) { return b; });
        REQUIRE(coverage.Has(length) == all);
      }
    }
  }
}

}  // namespace
}  // namespace blk::nbd
