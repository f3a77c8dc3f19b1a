/*
 * The start of one command, as xargs starts it: by vfork, so that nothing is copied, with the signals, limits and environment
 * that the front was given. The message is in an unnamed file or in the arguments; see starter.c for the request.
 */
#include "front.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* The search path when there is no PATH (execvp(3)), and what runs a file that begins with no #! and is no program. */
#define DEFAULT_PATH "/bin:/usr/bin"
#define SHELL "/bin/sh"

struct child {
  const char *file;
  /* One word is in front of them, for the shell. */
  char **words, **environment;
  int streams[3];
  bool has_session;
};

static char **command_line;
static int command_line_count;
static bool ignores_ends;
/* LOOK says them. */
static char **command, *place, **kept_variables;
static size_t command_count, kept_count;
/* Made for each start, in memory that stays. */
static char **words, **environment;
static size_t words_room, environment_room;
static struct bytes arguments;
static int null_device = -1;
static struct rlimit given_limit;
static bool is_limit_raised;
/* Set in the memory of the front by its child, which has it until exec. */
static volatile int child_reason;

static int open_streams(struct fields *request, const char *message, size_t length, const struct fields *sources,
                        int streams[3], struct started *started);
static int with_more_descriptors(int (*open_file)(const void *, size_t), const void *bytes, size_t length);
static bool put_message_in(const char *message, size_t length);
static bool put_variables_in(const char *variables, size_t length);
static int start_child(const struct child *child, pid_t *pid);
static _Noreturn void be_child(const struct child *child);
static int search(const char *file, int (*attempt)(const char *path, const struct child *child), const struct child *child);
static int run(const char *path, const struct child *child);
static int look_at(const char *path, const struct child *child);

void prepare_starts(int count, char **line, bool ignores_children) {
  command_line = line;
  command_line_count = count;
  ignores_ends = ignores_children;
}

/* Answers why the command cannot be executed; 0: it can, or that depends on the message. */
int look(struct fields *request) {
  size_t count = (size_t)take_number(request, 4);
  const char *text = take_text(request);
  if (text == NULL || count == 0 || count >= (size_t)command_line_count) {
    request->at = NULL;
    return 0;
  }
  command = command_line + (size_t)command_line_count - count;
  command_count = count;
  free(place);
  place = strdup(text);
  free(kept_variables);
  size_t given = 0;
  while (environ[given] != NULL) given++;
  kept_variables = calloc(given + 1, sizeof *kept_variables);
  if (place == NULL || kept_variables == NULL) out_of_memory();
  kept_count = 0;
  for (size_t i = 0; i < given; i++) kept_variables[kept_count++] = environ[i];
  while (request->at < request->end) {
    const char *name = take_text(request);
    if (name == NULL) return 0;
    size_t kept = 0, length = strlen(name);
    for (size_t i = 0; i < kept_count; i++)
      if (strncmp(kept_variables[i], name, length) != 0 || kept_variables[i][length] != '=') kept_variables[kept++] = kept_variables[i];
    kept_count = kept;
  }
  return place[0] != '\0' && strstr(command[0], place) != NULL ? 0 : search(command[0], look_at, NULL);
}

/* Answers 0, or why there is no process, and in `started` what could not be had. */
int start_command(struct fields *request, bool has_session, struct started *started) {
  struct fields sources = *request;
  for (int i = 0; i < 3; i++) {
    take_number(request, 1);
    take_number(request, 4);
  }
  started->most = take_number(request, 8);
  size_t size = (size_t)take_number(request, 4);
  const char *variables = take_bytes(request, size);
  size_t length = request->at == NULL ? 0 : (size_t)(request->end - request->at);
  const char *message = take_bytes(request, length);
  struct child child = {.streams = {-1, -1, -1}, .has_session = has_session};
  if (message == NULL || command == NULL || !put_variables_in(variables, size)) {
    request->at = NULL;
    return 0;
  }
  started->failed = FAILED_COMMAND;
  int reason = put_message_in(message, length) ? 0 : E2BIG;
  child.words = words + 1;
  child.file = child.words[0];
  child.environment = environment;
  if (reason == 0) reason = open_streams(request, message, length, &sources, child.streams, started);
  if (reason == 0 && request->at != NULL) {
    started->failed = FAILED_COMMAND;
    reason = start_child(&child, &started->pid);
  }
  bool is_started = reason == 0 && request->at != NULL;
  /* Files are the command's alone, but for an output, whose end is awaited. */
  for (int i = 0; i < 3; i++) {
    int fd = child.streams[i];
    if (fd == -1 || fd == null_device || is_pipe(fd) || (is_started && fd == started->output)) continue;
    close(fd);
    if (fd == started->output) started->output = -1;
  }
  release(&arguments, 1024 * 1024);
  return reason;
}

static int open_streams(struct fields *request, const char *message, size_t length, const struct fields *sources,
                        int streams[3], struct started *started) {
  struct fields each = *sources;
  for (int i = 0; i < 3; i++) {
    uint64_t source = take_number(&each, 1);
    int fd = (int)take_number(&each, 4);
    if (source == SOURCE_NOTHING) {
      if (null_device == -1) null_device = open("/dev/null", O_RDWR | O_CLOEXEC);
      streams[i] = null_device;
    } else if (source == SOURCE_MESSAGE) {
      started->failed = FAILED_MESSAGE;
      streams[i] = with_more_descriptors(file_with, message, length);
    } else if (source == SOURCE_KEPT && started->output == -1) {
      started->failed = FAILED_OUTPUT;
      streams[i] = started->output = with_more_descriptors(file_for, NULL, 0);
    } else if (source == SOURCE_PIPE && is_pipe(fd)) {
      streams[i] = fd;
    } else if (source != SOURCE_INHERITED) {
      request->at = NULL;
    }
    if (streams[i] == -1 && source != SOURCE_INHERITED && request->at != NULL) return errno;
  }
  return 0;
}

/* The limit of descriptors may be below the number of commands that run. Commands get the one that was given. */
static int with_more_descriptors(int (*open_file)(const void *, size_t), const void *bytes, size_t length) {
  int fd = open_file(bytes, length);
  if (fd != -1 || errno != EMFILE || is_limit_raised || getrlimit(RLIMIT_NOFILE, &given_limit) != 0) return fd;
  struct rlimit raised = {given_limit.rlim_max, given_limit.rlim_max};
  is_limit_raised = setrlimit(RLIMIT_NOFILE, &raised) == 0;
  errno = EMFILE;
  return is_limit_raised ? open_file(bytes, length) : -1;
}

/* The words of the command; false: one would be longer than the kernel takes (MAX_ARG_STRLEN of execve(2)). */
static bool put_message_in(const char *message, size_t length) {
  const size_t longest = 32 * (size_t)sysconf(_SC_PAGESIZE), place_length = strlen(place);
  if (words_room < command_count + 2) {
    words_room = command_count + 2;
    words = realloc(words, words_room * sizeof *words);
    if (words == NULL) out_of_memory();
  }
  words[0] = NULL;
  words[command_count + 1] = NULL;
  arguments.length = 0;
  /* Places in memory that grows: numbers first, then addresses. */
  for (size_t i = 0; i < command_count; i++) {
    const char *rest = command[i], *next = place_length == 0 ? NULL : strstr(rest, place);
    words[i + 1] = command[i];
    if (next == NULL) continue;
    size_t begun = arguments.length;
    for (; next != NULL; next = strstr(rest, place)) {
      if (length >= longest || arguments.length - begun >= longest) return false;
      add(&arguments, rest, (size_t)(next - rest));
      add(&arguments, message, length);
      rest = next + place_length;
    }
    add(&arguments, rest, strlen(rest) + 1);
    if (arguments.length - begun > longest) return false;
    words[i + 1] = NULL;
  }
  size_t at = 0;
  for (size_t i = 1; i <= command_count; i++) {
    if (words[i] != NULL) continue;
    words[i] = arguments.start + at;
    at += strlen(words[i]) + 1;
  }
  return true;
}

/* Answers whether they end in NUL. */
static bool put_variables_in(const char *variables, size_t length) {
  size_t count = 0;
  for (size_t i = 0; i < length; i++) count += variables[i] == '\0';
  if (length > 0 && variables[length - 1] != '\0') return false;
  if (environment_room < kept_count + count + 1) {
    environment_room = kept_count + count + 1;
    free(environment);
    environment = calloc(environment_room, sizeof *environment);
    if (environment == NULL) out_of_memory();
    memcpy(environment, kept_variables, kept_count * sizeof *environment);
  }
  char **next = environment + kept_count;
  for (size_t at = 0; at < length; at += strlen(variables + at) + 1) *next++ = (char *)(uintptr_t)(variables + at);
  *next = NULL;
  return true;
}

static int start_child(const struct child *child, pid_t *pid) {
  child_reason = 0;
  pid_t made = vfork();
  if (made == 0) be_child(child);
  if (made == -1) return errno;
  /* It has exec'ed, or has said why not, and is about to be a zombie. */
  if (child_reason == 0) *pid = made;
  return child_reason;
}

/* It shares the memory of the front, which waits. Nothing here may allocate or return. */
static _Noreturn void be_child(const struct child *child) {
  if (child->has_session) setsid();
  for (int i = 0; i < 3; i++)
    if (child->streams[i] != -1) dup2(child->streams[i], i);
  if (is_limit_raised) setrlimit(RLIMIT_NOFILE, &given_limit);
  if (ignores_ends) signal(SIGCHLD, SIG_IGN);
  sigprocmask(SIG_SETMASK, &given_mask, NULL);
  child_reason = search(child->file, run, child);
  _exit(127);
}

/* As execvp(3) of glibc: a file that may not be executed counts when there is no other. */
static int search(const char *file, int (*attempt)(const char *path, const struct child *child), const struct child *child) {
  if (file[0] == '\0') return ENOENT;
  if (strchr(file, '/') != NULL) return attempt(file, child);
  const char *folder = getenv("PATH");
  if (folder == NULL) folder = DEFAULT_PATH;
  size_t length = strlen(file);
  int reason = ENOENT;
  for (bool is_last = false; !is_last;) {
    char path[PATH_MAX];
    size_t size = strcspn(folder, ":");
    is_last = folder[size] == '\0';
    if (size + length + 2 <= sizeof path) {
      memcpy(path, folder, size);
      if (size > 0) path[size] = '/';
      memcpy(path + size + (size > 0), file, length + 1);
      int found = attempt(path, child);
      if (found == EACCES) reason = found;
      else if (found != ENOENT && found != ENOTDIR && found != ESTALE && found != ENODEV && found != ETIMEDOUT) return found;
    }
    folder += size + 1;
  }
  return reason;
}

static int run(const char *path, const struct child *child) {
  execve(path, child->words, child->environment);
  if (errno != ENOEXEC) return errno;
  char **shell_words = child->words - 1, *first = child->words[0];
  shell_words[0] = (char *)(uintptr_t)SHELL;
  child->words[0] = (char *)(uintptr_t)path;
  execve(SHELL, shell_words, child->environment);
  child->words[0] = first;
  return errno;
}

static int look_at(const char *path, const struct child *child) {
  (void)child;
  struct stat found;
  if (stat(path, &found) != 0) return errno;
  if (!S_ISREG(found.st_mode)) return EACCES;
  return access(path, X_OK) == 0 ? 0 : errno;
}
