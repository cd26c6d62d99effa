// LoopDevice: a block node over a file, where the machine lets us have one.
#ifndef RUMPBLK_TEST_SUPPORT_LOOP_DEVICE_H_
#define RUMPBLK_TEST_SUPPORT_LOOP_DEVICE_H_

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <string>

#include "test/support/temp_file.h"

namespace blk::test {

// A loop device over `file`; path is empty where there is none to be had.
class LoopDevice {
 public:
  LoopDevice(const TempFile& file, bool read_only) {
    const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) return;
    // Between the answer and LOOP_CONFIGURE somebody else may take the device: a few tries.
    for (int i = 0; i < 20 && path_.empty(); i++) {
      const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
      if (number >= 0) Configure(number, file, read_only);
    }
    ::close(control);
  }
  ~LoopDevice() {
    if (fd_ < 0) return;
    static_cast<void>(::ioctl(fd_, LOOP_CLR_FD, 0));
    ::close(fd_);
  }
  LoopDevice(const LoopDevice&) = delete;
  LoopDevice& operator=(const LoopDevice&) = delete;

  const std::string& path() const { return path_; }

 private:
  void Configure(int number, const TempFile& file, bool read_only) {
    const std::string path = "/dev/loop" + std::to_string(number);
    fd_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    const int backing = ::open(file.path().c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    struct loop_config config = {};
    config.fd = static_cast<uint32_t>(backing);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0);
    if (fd_ >= 0 && backing >= 0 && ::ioctl(fd_, LOOP_CONFIGURE, &config) == 0) {
      path_ = path;
    } else if (fd_ >= 0) {
      ::close(fd_);
      fd_ = -1;
    }
    if (backing >= 0) ::close(backing);
  }

  int fd_ = -1;
  std::string path_;
};

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_LOOP_DEVICE_H_
