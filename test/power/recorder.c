/*
 * Preloaded into a process, writes down what it does to the files of one folder, in order: writes, truncations,
 * removals, and the beginnings and ends of syncs. RECORD_FOLDER names the folder, RECORD_LOG the file that it is
 * written to, with a record for each: "what name number length\n", then so many bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(type, name, ...)                                  \
  static type (*real)(__VA_ARGS__);                            \
  if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int calls;

static ssize_t real_write(int fd, const void *bytes, size_t size) {
  REAL(ssize_t, "write", int, const void *, size_t);
  return real(fd, bytes, size);
}

/* The name of the file in the folder, "." for the folder itself; NULL for all others. */
static const char *name_of_path(const char *path) {
  const char *folder = getenv("RECORD_FOLDER");
  size_t length = folder ? strlen(folder) : 0;
  if (!length || strncmp(path, folder, length)) return NULL;
  if (!path[length]) return ".";
  return path[length] == '/' ? path + length + 1 : NULL;
}

static const char *name_of(int fd, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length < 0) return NULL;
  path[length] = 0;
  return name_of_path(path);
}

static void record(const char *what, const char *name, long long number, const void *bytes, size_t size) {
  static int log = -1;
  if (log < 0) {
    REAL(int, "open64", const char *, int, ...);
    log = real(getenv("RECORD_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log < 0) abort();
  }
  char head[4200];
  int length = snprintf(head, sizeof head, "%s %s %lld %zu\n", what, name, number, size);
  struct iovec parts[2] = {{head, length}, {(void *)bytes, size}};
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  if (real(log, parts, 2) != (ssize_t)(length + size)) abort();
}

/* Nothing else happens meanwhile, so that the records have the order of what they tell. */
#define RECORDED(fd, call, ...)                                \
  char path[4096];                                             \
  const char *name = name_of(fd, path, sizeof path);           \
  if (!name) return call;                                      \
  pthread_mutex_lock(&lock);                                   \
  ssize_t result = call;                                       \
  if (result >= 0) record(__VA_ARGS__);                        \
  pthread_mutex_unlock(&lock);                                 \
  return result

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
  RECORDED(fd, real(fd, bytes, size, at), "write", name, at, bytes, result);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return pwrite64(fd, bytes, size, at); }

ssize_t write(int fd, const void *bytes, size_t size) {
  struct stat found;
  RECORDED(fd, real_write(fd, bytes, size), "write", name,
           (fstat(fd, &found), fcntl(fd, F_GETFL) & O_APPEND ? found.st_size : lseek(fd, 0, SEEK_CUR)) - result,
           bytes, result);
}

int ftruncate64(int fd, off64_t size) {
  REAL(int, "ftruncate64", int, off64_t);
  RECORDED(fd, real(fd, size), "truncate", name, size, "", 0);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  const char *name = name_of_path(path);
  if (!name) return real(path);
  pthread_mutex_lock(&lock);
  int result = real(path);
  if (result == 0) record("remove", name, 0, "", 0);
  pthread_mutex_unlock(&lock);
  return result;
}

/* A sync takes its time, and others write meanwhile. */
static int synced(int fd, int (*sync)(int)) {
  char path[4096];
  const char *name = name_of(fd, path, sizeof path);
  if (!name) return sync(fd);
  pthread_mutex_lock(&lock);
  int call = calls++;
  record("sync", name, call, "", 0);
  pthread_mutex_unlock(&lock);
  int result = sync(fd);
  pthread_mutex_lock(&lock);
  if (result == 0) record("synced", name, call, "", 0);
  pthread_mutex_unlock(&lock);
  return result;
}

int fsync(int fd) {
  REAL(int, "fsync", int);
  return synced(fd, real);
}

int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  return synced(fd, real);
}
