// Whether files of the temporary folder can have holes: on ramfs, FAT and in some containers they cannot.
#ifndef RUMPBLK_TEST_SUPPORT_HOLES_H_
#define RUMPBLK_TEST_SUPPORT_HOLES_H_

#include <fcntl.h>
#include <unistd.h>

#include "test/support/check.h"
#include "test/support/temp_file.h"

namespace blk::test {

// Makes a hole in a file, and looks for it.
inline bool FilesHaveHoles() {
  static const bool have = [] {
    constexpr off_t kAll = 1 << 20;
    const TempFile file(kAll);
    file.Fill();
    const int fd = ::open(file.path().c_str(), O_RDWR | O_CLOEXEC);
    Must(fd >= 0, "open");
    const bool punched = ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kAll / 2) == 0;
    const bool found = punched && ::lseek(fd, 0, SEEK_HOLE) == 0 && ::lseek(fd, 0, SEEK_DATA) == kAll / 2;
    Must(::close(fd) == 0, "close");
    return found;
  }();
  return have;
}

// Ends a case that asks for them where there are none.
inline void NeedHoles() {
  if (!FilesHaveHoles()) SKIP("no holes on the file system of the temporary folder");
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_HOLES_H_
