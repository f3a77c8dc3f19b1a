/*
 * Becoming Node: bin/mq, with the same arguments, descriptors, signal dispositions and environment. MQ_GIVEN says what Node
 * is to know besides, `pid:open:ignored:input:begun:starter` (src/inherited.ts): input is a descriptor with what was read of
 * standard input, begun the time since when the command's own counts, starter the socket of the starter (starter.c).
 */
#include "front.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

static char **arguments;
static int input = -1, starter = -1;
static bool is_committed;
sigset_t given_mask;

static char *given(void);
static uint64_t ignored_signals(void);

void remember_start(char **words) {
  arguments = words;
  sigprocmask(SIG_SETMASK, NULL, &given_mask);
}

/* From now on it is too late: a request was sent, or a byte printed. */
void commit(void) {
  is_committed = true;
}

/* Bytes that were read of standard input come first, for whoever reads it. */
void begin_input(const struct bytes *read) {
  if (read->length == 0) return;
  input = memfd_create("mq-input", 0);
  if (input == -1 || write(input, read->start, read->length) != (ssize_t)read->length ||
      lseek(input, 0, SEEK_SET) != 0) {
    note("what was read of standard input cannot be handed on: there is no memory left");
    _exit(70);
  }
}

void give_starter(int fd) {
  starter = fd;
}

_Noreturn void become_node(void) {
  if (is_committed) {
    note("an error in mq itself: the front gave up too late");
    _exit(70);
  }
  size_t count = 0, kept = 0;
  while (environ[count] != NULL) count++;
  char **environment = calloc(count + 2, sizeof *environment);
  if (environment != NULL) {
    for (size_t i = 0; i < count; i++)
      if (!is_own(environ[i])) environment[kept++] = environ[i];
    environment[kept] = given();
    let_signals_go();
    execve(program(), arguments, environment);
  }
  note(text_of("%s cannot be run: %s", program(), reason_of(errno)));
  _exit(69);
}

/* bin/mq, beside the folder that this executable is in. */
const char *program(void) {
  static char path[PATH_MAX + sizeof "/bin/mq"];
  if (path[0] != '\0') return path;
  ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
  if (length > 0) path[length] = '\0';
  else if (realpath((const char *)getauxval(AT_EXECFN), path) == NULL) path[0] = '\0';
  for (int folder = 0; folder < 2; folder++) {
    char *last = strrchr(path, '/');
    if (last != NULL) *last = '\0';
  }
  strcat(path, "/bin/mq");
  return path;
}

static char *given(void) {
  const char *open = fcntl(0, F_GETFD) == -1 ? (fcntl(1, F_GETFD) == -1 ? "" : "1") :
                     fcntl(1, F_GETFD) == -1 ? "0" : "01";
  char *text = text_of(GIVEN "%ld:%s:%" PRIu64 ":%s:%" PRId64 ":%s", (long)getpid(), open, ignored_signals(),
                       input == -1 ? "" : text_of("%d", input), begun,
                       starter == -1 ? "" : text_of("%d", starter));
  return text;
}

/* A bit for each, as in field 31 of proc_pid_stat(5). */
static uint64_t ignored_signals(void) {
  uint64_t bits = 0;
  for (int number = 1; number < 32; number++) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN) bits |= UINT64_C(1) << (number - 1);
  }
  return bits;
}
