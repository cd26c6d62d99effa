// floors: what reading costs without Node. Times each way to read blocks of a file, turn by turn, and prints JSON.
//
//   floors FILE key=value...
//     tests=memcpy,pread   any of memcpy copy pread pwrite dsync ring seek remap core core-pio core-mmap core-seed
//                          NAME@2: on two threads
//     size=BYTES           of the file that are used; default all
//     block=4096  pattern=uniform|zipf|sequential  ops=100000  passes=3  seed=1
//     depth=32  direct=1   of ring: reads under way, and past the page cache
//     marks=10000,100000   also the time after so many requests
//     cold=1               every pass starts with a new map or device; otherwise the whole range is read once before
//     stamps=1             the first word of every page is its number: check what was read
//     steps=1              around every test of a pass, prints "ready" and "done" and waits for a line; "end" ends it
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <sstream>
#include <thread>

#include "bench/support/contenders.h"
#include "bench/support/positions.h"

namespace blk_bench {
namespace {

struct Options {
  Setting setting;
  std::vector<std::string> tests{"memcpy", "copy", "pread", "remap", "core"};
  std::string pattern = "uniform";
  size_t ops = 100'000;
  size_t passes = 3;
  uint64_t seed = 1;
  std::vector<size_t> marks;
  bool cold = false;
  bool stamps = false;
  bool steps = false;
};

std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

[[noreturn]] void Usage(const std::string& why) {
  std::fprintf(stderr, "floors: %s; see the head of native/bench/floors.cc\n", why.c_str());
  std::exit(2);
}

Options Parse(int argc, char** argv) {
  if (argc < 2) Usage("no file");
  Options o;
  o.setting.file = argv[1];
  struct stat st;
  if (stat(argv[1], &st) != 0) Die(argv[1]);
  o.setting.size = static_cast<uint64_t>(st.st_size);
  for (int i = 2; i < argc; i++) {
    const std::string arg = argv[i];
    const size_t eq = arg.find('=');
    const std::string key = arg.substr(0, eq);
    const std::string value = eq == std::string::npos ? "" : arg.substr(eq + 1);
    if (key == "tests")
      o.tests = Split(value);
    else if (key == "size")
      o.setting.size = std::min(o.setting.size, static_cast<uint64_t>(std::stoull(value)));
    else if (key == "block")
      o.setting.block = std::stoull(value);
    else if (key == "depth")
      o.setting.depth = std::max<size_t>(1, std::stoull(value));
    else if (key == "direct")
      o.setting.direct = value == "1";
    else if (key == "pattern")
      o.pattern = value;
    else if (key == "ops")
      o.ops = std::stoull(value);
    else if (key == "passes")
      o.passes = std::stoull(value);
    else if (key == "seed")
      o.seed = std::stoull(value);
    else if (key == "marks")
      for (const std::string& mark : Split(value)) o.marks.push_back(std::stoull(mark));
    else if (key == "cold")
      o.cold = value == "1";
    else if (key == "stamps")
      o.stamps = value == "1";
    else if (key == "steps")
      o.steps = value == "1";
    else
      Usage("unknown option " + arg);
  }
  if (o.setting.block == 0 || o.setting.size < o.setting.block) Usage("the file is smaller than a block");
  o.marks.erase(std::remove_if(o.marks.begin(), o.marks.end(), [&](size_t m) { return m >= o.ops; }), o.marks.end());
  std::sort(o.marks.begin(), o.marks.end());
  o.marks.push_back(o.ops);
  return o;
}

// One named test: a contender, and what its passes took per request.
struct Test {
  std::string name;
  std::string kind;
  unsigned threads = 1;
  std::unique_ptr<Contender> contender;
  std::vector<std::vector<double>> ns;  // a row per pass, a number per mark
};

Test MakeTest(const std::string& name, const Setting& setting) {
  Test test;
  const size_t at = name.find('@');
  test.name = name;
  test.kind = name.substr(0, at);
  if (at != std::string::npos) test.threads = static_cast<unsigned>(std::stoul(name.substr(at + 1)));
  test.contender = MakeContender(test.kind, setting);
  if (!test.contender || test.threads == 0 || test.threads > 14) Usage("unknown test " + name);
  return test;
}

struct Aligned {
  explicit Aligned(size_t size) : data(static_cast<uint8_t*>(std::aligned_alloc(4096, (size + 4095) & ~size_t{4095}))) {
    if (data == nullptr) Die("memory");
    std::memset(data, 0, size);
  }
  ~Aligned() { std::free(data); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  uint8_t* const data;
};

// Every thread does an equal part of the positions. -> nanoseconds per request of all together.
double RunThreads(Test& test, const std::vector<uint64_t>& at, size_t block, uint64_t* sum) {
  const size_t each = at.size() / test.threads;
  std::atomic<unsigned> ready{0};
  std::atomic<uint64_t> total{0};
  std::vector<std::thread> threads;
  std::vector<double> begun(test.threads), ended(test.threads);
  for (unsigned t = 0; t < test.threads; t++) {
    threads.emplace_back([&, t] {
      const Aligned to(block);
      ready++;
      while (ready < test.threads) {
      }
      begun[t] = Now();
      total += test.contender->Run(&at[t * each], {each}, to.data, static_cast<blk::Lane>(t + 1)).sum;
      ended[t] = Now();
    });
  }
  for (std::thread& thread : threads) thread.join();
  *sum = total;
  const double start = *std::min_element(begun.begin(), begun.end());
  return (*std::max_element(ended.begin(), ended.end()) - start) / static_cast<double>(each * test.threads);
}

// Tells who watches this process where it is, and waits for an answer. -> whether to go on.
bool Step(const char* at) {
  std::printf("%s\n", at);
  std::fflush(stdout);
  char answer[8];
  return std::fgets(answer, sizeof answer, stdin) != nullptr && std::strcmp(answer, "end\n") != 0;
}

void Pass(Test& test, const Options& o, const std::vector<uint64_t>& at, uint8_t* to, uint64_t* wrong) {
  if (o.cold) test.contender = MakeContender(test.kind, o.setting);
  uint64_t sum = 0;
  if (test.threads == 1) {
    const Times times = test.contender->Run(at.data(), o.marks, to, 0);
    std::vector<double> row;
    for (size_t i = 0; i < o.marks.size(); i++) row.push_back(times.at_mark[i] / static_cast<double>(o.marks[i]));
    test.ns.push_back(row);
    sum = times.sum;
  } else {
    test.ns.push_back({RunThreads(test, at, o.setting.block, &sum)});
  }
  const size_t done = at.size() / test.threads * test.threads;
  uint64_t expected = 0;
  for (size_t i = 0; i < done; i++) expected += at[i] / 4096;
  if (o.stamps && sum != expected) ++*wrong;
}

void Print(const std::vector<Test>& tests, uint64_t wrong) {
  std::printf("{\"tests\":{");
  for (size_t t = 0; t < tests.size(); t++) {
    std::printf("%s\"%s\":[", t == 0 ? "" : ",", tests[t].name.c_str());
    for (size_t p = 0; p < tests[t].ns.size(); p++) {
      std::printf("%s[", p == 0 ? "" : ",");
      const std::vector<double>& row = tests[t].ns[p];
      for (size_t m = 0; m < row.size(); m++) std::printf("%s%.2f", m == 0 ? "" : ",", row[m]);
      std::printf("]");
    }
    std::printf("]");
  }
  std::printf("},\"wrong\":%llu}\n", static_cast<unsigned long long>(wrong));
}

int Main(int argc, char** argv) {
  const Options o = Parse(argc, argv);
  const Aligned to(std::max<size_t>(o.setting.block, 32 * 1024));
  std::vector<Test> tests;
  for (const std::string& name : o.tests) tests.push_back(MakeTest(name, o.setting));
  if (!o.cold) {
    // Once through the range in order, in blocks of the run: page tables and the state of a device are as after long
    // use.
    const auto all = MakePositions("sequential", o.setting.size, o.setting.block, o.setting.size / o.setting.block, 0);
    for (Test& test : tests) test.contender->Run(all.data(), {all.size()}, to.data, 0);
  }
  uint64_t wrong = 0;
  bool more = true;
  for (size_t pass = 0; pass < o.passes && more; pass++) {
    const auto at = MakePositions(o.pattern, o.setting.size, o.setting.block, o.ops, o.seed + pass);
    for (size_t t = 0; t < tests.size(); t++) {
      if (o.steps) Step("ready");
      Pass(tests[(t + pass) % tests.size()], o, at, to.data, &wrong);
      if (o.steps) more = Step("done");
    }
  }
  Print(tests, wrong);
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace blk_bench

int main(int argc, char** argv) { return blk_bench::Main(argc, argv); }
