// QEMU's programs, which make and judge images. Whether they are there is asked first.
#ifndef RUMPBLK_TEST_SUPPORT_QEMU_H_
#define RUMPBLK_TEST_SUPPORT_QEMU_H_

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace blk::test {

inline bool HasQemu() {
  return std::system("qemu-img --version >/dev/null 2>&1 && qemu-io --version >/dev/null 2>&1") == 0;
}

struct Ran {
  int code = 0;  // of its end
  std::string output;
};

// Runs a command of the shell. -> how it ended, and what it said.
inline Ran Run(const std::string& command) {
  Ran ran;
  std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> bytes;
  while (const size_t got = std::fread(bytes.data(), 1, bytes.size(), pipe)) ran.output.append(bytes.data(), got);
  const int status = ::pclose(pipe);
  ran.code = WEXITSTATUS(status);
  return ran;
}

// What `qemu-img check` found: leaks are 3, damage is 2.
inline Ran CheckImage(const std::string& path) { return Run("qemu-img check -f qcow2 " + path); }

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_QEMU_H_
