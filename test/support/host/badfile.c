// A FUSE file system with one file that fails on command: badfile BYTES MOUNTPOINT. `file` lies in memory; what is written
// to `control` decides what goes wrong: "read FROM TO" and "write FROM TO" fail transfers that touch that range with EIO,
// "fsync N" the next N syncs, "clear" ends it all. Pages are cached as usual, so mappings and write-back meet it too.
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *data;
static size_t size;
static size_t bad[2][2];  // of reads, of writes: from, to
static int bad_syncs;

static int is_file(const char *path) { return strcmp(path, "/file") == 0; }
static int is_bad(int write, size_t from, size_t length) {
  return from < bad[write][1] && from + length > bad[write][0];
}

static int get_attributes(const char *path, struct stat *st, struct fuse_file_info *info) {
  (void)info;
  memset(st, 0, sizeof *st);
  if (strcmp(path, "/") == 0) {
    st->st_mode = S_IFDIR | 0755;
    st->st_nlink = 2;
  } else if (is_file(path) || strcmp(path, "/control") == 0) {
    st->st_mode = S_IFREG | 0666;
    st->st_nlink = 1;
    st->st_size = is_file(path) ? (off_t)size : 0;
  } else {
    return -ENOENT;
  }
  return 0;
}

static int read_file(const char *path, char *to, size_t length, off_t offset, struct fuse_file_info *info) {
  (void)info;
  if (!is_file(path) || (size_t)offset >= size) return 0;
  if (length > size - (size_t)offset) length = size - (size_t)offset;
  if (is_bad(0, (size_t)offset, length)) return -EIO;
  memcpy(to, data + offset, length);
  return (int)length;
}

static int command(const char *from, size_t length) {
  char line[64] = "";
  memcpy(line, from, length < sizeof line ? length : sizeof line - 1);
  if (sscanf(line, "read %zu %zu", &bad[0][0], &bad[0][1]) == 2) return (int)length;
  if (sscanf(line, "write %zu %zu", &bad[1][0], &bad[1][1]) == 2) return (int)length;
  if (sscanf(line, "fsync %d", &bad_syncs) == 1) return (int)length;
  memset(bad, 0, sizeof bad);
  bad_syncs = 0;
  return strncmp(line, "clear", 5) == 0 ? (int)length : -EINVAL;
}

static int write_file(const char *path, const char *from, size_t length, off_t offset, struct fuse_file_info *info) {
  (void)info;
  if (!is_file(path)) return command(from, length);
  if ((size_t)offset >= size || length > size - (size_t)offset) return -ENOSPC;
  if (is_bad(1, (size_t)offset, length)) return -EIO;
  memcpy(data + offset, from, length);
  return (int)length;
}

static int sync_file(const char *path, int data_only, struct fuse_file_info *info) {
  (void)path, (void)data_only, (void)info;
  if (bad_syncs == 0) return 0;
  bad_syncs--;
  return -EIO;
}

static int truncate_file(const char *path, off_t to, struct fuse_file_info *info) {
  (void)info;
  return is_file(path) && (size_t)to != size ? -EPERM : 0;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  size = strtoull(argv[1], NULL, 10);
  data = calloc(1, size);
  static const struct fuse_operations operations = {
      .getattr = get_attributes,
      .read = read_file,
      .write = write_file,
      .fsync = sync_file,
      .truncate = truncate_file,
  };
  // In the foreground, on one thread, attributes and names not remembered.
  char *arguments[] = {argv[0], argv[2], "-f", "-s", "-o", "attr_timeout=0,entry_timeout=0", NULL};
  return data == NULL ? 1 : fuse_main(6, arguments, &operations, NULL);
}
