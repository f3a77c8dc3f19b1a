/* Unnamed files, for messages and outputs: see temporary.ts. They are gone when nobody has them open any more. */
#include "front.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files up to so many bytes are in memory. */
enum { SMALL = 64 * 1024 };

static int filled(int fd, const void *bytes, size_t length);
static int open_unnamed(int mode);

/* A file that is read from its start; -1: errno. */
int file_with(const void *bytes, size_t length) {
  if (length <= SMALL) {
    int fd = filled(memfd_create("mq", MFD_CLOEXEC), bytes, length);
    if (fd != -1 || errno == EMFILE) return fd;
  }
  return filled(open_unnamed(0), bytes, length);
}

/* A file for an output. */
int file_for(const void *bytes, size_t length) {
  (void)bytes;
  (void)length;
  return open_unnamed(O_APPEND);
}

uint64_t size_of(int fd) {
  struct stat found;
  return fstat(fd, &found) == 0 && found.st_size > 0 ? (uint64_t)found.st_size : 0;
}

static int filled(int fd, const void *bytes, size_t length) {
  for (size_t at = 0; fd != -1 && at < length;) {
    /* With positions, so that the descriptor's own stays at the start. */
    ssize_t size = pwrite(fd, (const char *)bytes + at, length - at, (off_t)at);
    if (size >= 0) {
      at += (size_t)size;
    } else if (errno != EINTR) {
      int reason = errno;
      close(fd);
      fd = -1;
      errno = reason;
    }
  }
  return fd;
}

static int open_unnamed(int mode) {
  static const char *folder;
  static const char *const NAMES[] = {"TMPDIR", "TMP", "TEMP"};
  for (size_t i = 0; folder == NULL && i < 3; i++) {
    folder = getenv(NAMES[i]);
    if (folder != NULL && folder[0] == '\0') folder = NULL;
  }
  if (folder == NULL) folder = "/tmp";
  int fd = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC | mode, 0600);
  /* A file system, or a kernel, that does not know O_TMPFILE. */
  if (fd != -1 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)) return fd;
  char *path = text_of("%s/mq.XXXXXX", folder);
  fd = mkostemp(path, O_CLOEXEC | mode);
  int reason = errno;
  if (fd != -1) unlink(path);
  free(path);
  errno = reason;
  return fd;
}
