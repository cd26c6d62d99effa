#include "core/host/lock_holder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <system_error>

namespace blk {
namespace {

// Some tenths of a second; a system with more open files than this keeps its secret.
constexpr int kMostFiles = 50'000;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

// The next entry whose name is a number. -> nothing at the end.
std::optional<int> NextNumber(DIR* folder) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream has one user, and streams of their own are safe
  while (const struct dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    int number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size()) return number;
  }
  return std::nullopt;
}

// Takes the next word of `rest`.
std::string_view Word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  const size_t length = std::min(rest.find_first_of(" \t"), rest.size());
  const std::string_view word = rest.substr(0, length);
  rest.remove_prefix(length);
  return word;
}

std::optional<uint64_t> Number(std::string_view word) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return number;
}

// One walk over the processes. The lock is looked for before the file is: reading fdinfo tells of both, but stat(2) of
// a descriptor may wait for a network.
class Search {
 public:
  Search(int fd, LockKind kind, uint64_t offset, uint64_t size, const std::vector<int>& own)
      : kind_(kind), begin_(offset), last_(size == 0 ? UINT64_MAX : offset + (size - 1)), own_(own) {
    known_ = ::fstat(fd, &file_) == 0;
  }

  int Run() {
    const Folder processes(known_ ? ::opendir("/proc") : nullptr);
    if (!processes) return 0;
    while (const auto pid = NextNumber(processes.get())) {
      if (IsHolder(*pid)) return *pid;
    }
    return 0;
  }

 private:
  bool IsHolder(int pid) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/fdinfo", pid);
    const Folder files(::opendir(path));  // fails where we may not look
    if (!files) return false;
    while (const auto number = NextNumber(files.get())) {
      const bool ours = pid == ::getpid() && std::find(own_.begin(), own_.end(), *number) != own_.end();
      if (++looked_at_ > kMostFiles) return false;
      if (!ours && HasLock(pid, *number) && IsOurFile(pid, *number)) return true;
    }
    return false;
  }

  bool HasLock(int pid, int number) const {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", pid, number);
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    char text[4096];
    const ssize_t length = ::read(fd, text, sizeof text);
    static_cast<void>(::close(fd));  // only read from
    std::string_view rest(text, length < 0 ? 0 : static_cast<size_t>(length));
    // One descriptor may have several locks, a line each.
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      const auto lock = ParseFdLock(rest.substr(0, end));
      if (lock && IsInTheWay(*lock)) return true;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
  }

  // Two shared locks are not in each other's way; ranges are compared by their last bytes, so that none wraps.
  bool IsInTheWay(const FdLock& lock) const {
    return lock.inode == file_.st_ino && (lock.exclusive || kind_ == LockKind::kExclusive) && lock.begin <= last_ &&
           lock.last >= begin_;
  }

  // Inode numbers repeat from file system to file system. The device in fdinfo is no help: stat(2) may show another.
  bool IsOurFile(int pid, int number) const {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, number);
    struct stat st;
    return ::stat(path, &st) == 0 && st.st_dev == file_.st_dev && st.st_ino == file_.st_ino;
  }

  const LockKind kind_;
  const uint64_t begin_;
  const uint64_t last_;
  const std::vector<int>& own_;
  struct stat file_ = {};
  bool known_ = false;
  int looked_at_ = 0;
};

}  // namespace

// "lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:00:1234 0 EOF"
std::optional<FdLock> ParseFdLock(std::string_view line) {
  if (Word(line) != "lock:") return std::nullopt;
  static_cast<void>(Word(line));  // its number
  if (Word(line) != "OFDLCK") return std::nullopt;
  static_cast<void>(Word(line));  // ADVISORY
  FdLock lock;
  lock.exclusive = Word(line) == "WRITE";
  static_cast<void>(Word(line));  // -1
  const std::string_view file = Word(line);
  const size_t colon = file.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto inode = Number(file.substr(colon + 1));
  const auto begin = Number(Word(line));
  const std::string_view last = Word(line);
  const auto last_byte = last == "EOF" ? UINT64_MAX : Number(last);
  if (!inode || !begin || !last_byte) return std::nullopt;
  lock.inode = *inode;
  lock.begin = *begin;
  lock.last = *last_byte;
  return lock;
}

int OwnProcess() { return ::getpid(); }

int FindLockHolder(int fd, LockKind kind, uint64_t offset, uint64_t size, const std::vector<int>& own) {
  struct flock lock = {};
  lock.l_type = kind == LockKind::kExclusive ? F_WRLCK : F_RDLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(offset);
  lock.l_len = static_cast<off_t>(size);
  // The short way: locks of the older kind name their process, and are the only ones that the call names one for.
  if (::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0) return lock.l_pid;
  return Search(fd, kind, offset, size, own).Run();
}

}  // namespace blk
