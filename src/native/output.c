/* Standard output, with an account of what it took: see output.ts. */
#include "front.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* A write of at most so many bytes to a pipe is taken as a whole or not at all (PIPE_BUF, pipe(7)). */
enum { ATOMIC = 4096 };

struct output { int fd; bool may_wait, may_block; };

static struct output open_output(void);
static bool wait_for_reader(struct line *line, const struct output *output);
static int rest_of(const struct bytes parts[3], size_t taken, size_t most, struct iovec into[3]);

/*
 * Writes all, unless a signal, the end of the daemon or an error (errno) is in the way. A reader that is slow is waited for; a
 * daemon that dies meanwhile is followed to the next one, which keeps what is held here.
 */
bool write_all(struct line *line, struct bytes parts[3]) {
  size_t length = parts[0].length + parts[1].length + parts[2].length, taken = 0;
  struct output output = open_output();
  commit();
  errno = 0;
  while (taken < length) {
    if (line != NULL && (caught() != 0 || line->connection.stopped)) return false;
    if (output.may_block && !wait_for_reader(line, &output)) continue;
    struct iovec rest[3];
    int count = rest_of(parts, taken, output.may_block ? ATOMIC : length, rest);
    ssize_t size = writev(output.fd, rest, count);
    if (size >= 0) taken += (size_t)size;
    else if (errno == EAGAIN) wait_for_reader(line, &output);
    else if (errno != EINTR) return false;
  }
  return true;
}

/* Of errno; a reader that went away ends a writer by SIGPIPE. */
int write_failed(void) {
  if (errno == EPIPE) die_by(SIGPIPE);
  fail(CODE_OUTPUT, text_of("%s%s", TEXT_UNWRITTEN, reason_of(errno)), NULL);
  return report(has(OPTION_QUIET));
}

/* Another file description of the same pipe, so that O_NONBLOCK stays ours (proc_pid_fd(5)). */
static struct output open_output(void) {
  struct stat found;
  struct output output = {STDOUT_FILENO, false, false};
  if (fstat(STDOUT_FILENO, &found) != 0) return output;
  output.may_wait = S_ISFIFO(found.st_mode) || S_ISSOCK(found.st_mode) || isatty(STDOUT_FILENO);
  if (!output.may_wait) return output;
  int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd != -1) output.fd = fd;
  else output.may_block = true;
  return output;
}

/* Answers whether it can be written; the daemon is listened to meanwhile. */
static bool wait_for_reader(struct line *line, const struct output *output) {
  struct pollfd polled[2] = {{output->fd, POLLOUT, 0}, {line == NULL ? -1 : line->connection.fd, POLLIN, 0}};
  wait_for(polled, 2, FOREVER);
  /* Where there is no next daemon, the acknowledgement of the message fails later. */
  if (polled[1].revents != 0 && !listen_to(&line->connection) && !line->connection.stopped)
    open_line(line, false, LEAVES);
  return polled[0].revents != 0;
}

static int rest_of(const struct bytes parts[3], size_t taken, size_t most, struct iovec into[3]) {
  int count = 0;
  for (int i = 0; i < 3; i++) {
    size_t skipped = taken < parts[i].length ? taken : parts[i].length;
    size_t size = parts[i].length - skipped < most ? parts[i].length - skipped : most;
    taken -= skipped;
    if (size > 0) into[count++] = (struct iovec){parts[i].start + skipped, size};
    most -= size;
  }
  return count;
}
