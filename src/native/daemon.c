/* Finding the daemon, and having it started again. */
#include "front.h"
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bytes of the two lines that `mq start` says at most. */
enum { LONGEST_WORD = 8192 };

/* While another front starts the daemon, it is looked for after so long, in ms; and twice as long each time, up to a limit. */
enum { FIRST_LOOK = 20, LONGEST_LOOK = 200 };

static enum outcome run_start(int64_t until);
static void fail_as(int status, struct bytes *said);

/* A connection; -1 with errno: ENOENT or ECONNREFUSED when nobody listens, EAGAIN when the backlog is full. */
int connect_daemon(void) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd == -1) return -1;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, places.socket, strlen(places.socket) + 1);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  int reason = errno;
  close(fd);
  /* A daemon that dies resets who is in its backlog. */
  errno = reason == ECONNRESET ? EAGAIN : reason;
  return -1;
}

/*
 * Runs `mq start`, unless another front does: of the thousand that a daemon leaves behind when it dies, one starts the next.
 * ANSWERED: it is worth looking for it again. FAILED: why there is none.
 */
enum outcome start_daemon(int64_t until) {
  int folder = open(places.home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder != -1 && flock(folder, LOCK_EX | LOCK_NB) != 0) {
    static int64_t look = FIRST_LOOK;
    close(folder);
    pause_for(look);
    look = look < LONGEST_LOOK / 2 ? look * 2 : LONGEST_LOOK;
    return ANSWERED;
  }
  /* The daemon may be there by now. */
  int fd = connect_daemon();
  enum outcome outcome = fd == -1 ? run_start(until) : ANSWERED;
  if (fd != -1) close(fd);
  if (folder != -1) close(folder);
  return outcome;
}

static enum outcome run_start(int64_t until) {
  char *words[] = {(char *)program(), "start", NULL};
  int ends[2];
  pid_t child = 0;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  struct bytes said = {0};
  struct sigaction by_default;
  memset(&by_default, 0, sizeof by_default);
  by_default.sa_handler = SIG_DFL;
  /* A process that ignores it is not told of the child's end. */
  sigaction(SIGCHLD, &by_default, NULL);
  if (pipe2(ends, O_CLOEXEC) != 0) {
    fail(CODE_NOSTART, text_of("%s: %s", program(), reason_of(errno)), NULL);
    return FAILED;
  }
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigmask(&attributes, &given_mask);
  int reason = posix_spawn(&child, words[0], &actions, &attributes, words, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(ends[1]);
  bool is_late = false;
  while (reason == 0 && !is_late) {
    char part[1024];
    struct pollfd polled = {ends[0], POLLIN, 0};
    if (wait_for(&polled, 1, until) == 0) {
      is_late = now() >= until;
      continue;
    }
    ssize_t size = read(ends[0], part, sizeof part);
    if (size == 0) break;
    if (size > 0 && said.length < LONGEST_WORD) add(&said, part, (size_t)size);
  }
  close(ends[0]);
  if (is_late) kill(child, SIGKILL);
  int status = 0;
  while (reason == 0 && waitpid(child, &status, 0) == -1 && errno == EINTR) continue;
  if (is_late) fail(CODE_UNREACHABLE, text_of("%s (%s)", TEXT_UNANSWERED, places.socket),
                    text_of("%s%s", TEXT_SEE_LOG, places.log));
  else if (reason != 0) fail(CODE_NOSTART, text_of("%s: %s", program(), reason_of(reason)), NULL);
  else if (WIFEXITED(status) && WEXITSTATUS(status) != 0) fail_as(WEXITSTATUS(status), &said);
  else reason = -1;
  free(said.start);
  /* Its end by a signal does not say that no daemon can be had. */
  return reason == -1 ? ANSWERED : FAILED;
}

/* With what `mq start` said: `mq: start: why`, and what to do about it. */
static void fail_as(int status, struct bytes *said) {
  static const char PREFIX[] = "mq: start: ";
  add(said, "", 1);
  char *why = said->start, *advice = strchr(why, '\n');
  if (advice != NULL) *advice++ = '\0';
  char *end = advice == NULL ? NULL : strchr(advice, '\n');
  if (end != NULL) *end = '\0';
  if (strncmp(why, PREFIX, strlen(PREFIX)) == 0) why += strlen(PREFIX);
  fail(CODE_NOSTART, strdup(why), text_of("%s", advice == NULL ? "" : advice));
  failure.status = status;
}
