/*
 * A connection that survives the daemon: a request that had no answer when it died is sent to the next one, and happens once.
 * The rules are those of connect.ts and line.ts.
 */
#include "front.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t limit_of(const struct line *line);
static bool count_loss(struct line *line);
static enum outcome find_daemon(struct line *line, bool is_first, enum on_signal on_signal, int64_t limit,
                                int64_t start_limit);
static bool is_own_daemon(int fd);
static enum outcome greet(struct line *line, bool is_first, enum on_signal on_signal, int64_t limit);
static enum outcome replace(struct line *line, struct reader answer, bool is_refused);
static bool is_newer(const char *version, size_t length);
static const char *holder(void);
static char *word_in(const char *path, char *into, size_t size);
static void leave_open(const struct request *request);

/*
 * Connects, and is greeted. Node takes over where no daemon answers at first, or one that answers in another way than it
 * should.
 */
enum outcome open_line(struct line *line, bool is_first, enum on_signal on_signal) {
  enum outcome outcome = LOST;
  while (outcome == LOST) {
    if (!count_loss(line)) return FAILED;
    int64_t start = now(), limit = limit_of(line), start_limit = limit;
    if (start_limit < start + START) start_limit = start + START;
    if (limit > start + PATIENCE) limit = start + PATIENCE;
    if (start_limit > start + PATIENCE) start_limit = start + PATIENCE;
    bool stopped = line->connection.stopped;
    close_connection(&line->connection);
    line->connection.stopped = stopped;
    outcome = find_daemon(line, is_first, on_signal, limit, start_limit);
    if (outcome != ANSWERED) return outcome;
    if (limit < now() + MARGIN) limit = now() + MARGIN;
    outcome = greet(line, is_first, on_signal, limit);
  }
  return outcome;
}

/* Asks for something until it is answered. An answer that is an error is a failure. */
enum outcome ask(struct line *line, struct request *request, struct reader *answer) {
  char timeout[24];
  /* STAT changes nothing. */
  if (request->name != REQUEST_STAT) commit();
  for (bool is_sent = false, is_again = false;;) {
    enum outcome outcome = LOST;
    if (line->connection.fd != -1 || line->connection.stopped) {
      struct bytes bytes = {0};
      if (waits(request->name) || request->name == REQUEST_PUT) {
        int64_t left = request->deadline == FOREVER ? FOREVER : request->deadline - now();
        snprintf(timeout, sizeof timeout, "%" PRId64, left);
        request->values[FIELD_NOWAIT] = left <= 0 ? "" : NULL;
        request->values[FIELD_TIMEOUT] = left > 0 && left != FOREVER ? timeout : NULL;
      }
      encode_request(request, &bytes);
      int64_t limit = limit_of(line);
      bool doubts = limit == FOREVER && !waits(request->name);
      outcome = exchange(&line->connection, &bytes, &(struct terms){limit, doubts, request->on_signal}, answer);
      free(bytes.start);
      is_sent = true;
    }
    bool is_error = outcome == ANSWERED && type_at(answer) == '-';
    if (is_error) fail_by_answer(*answer);
    if (outcome == FAILED && failure.code == CODE_UNREACHABLE) leave_open(request);
    /* A daemon that is stopped tells what it did itself, but not what an earlier one may have done. */
    bool may_not_tell = request->doubts_stop || (is_again && (!is_error || happens_once(request->name)));
    if ((is_error || outcome == FAILED) && failure.code == CODE_STOPPED && may_not_tell) leave_open(request);
    if (is_error) return FAILED;
    if (outcome != LOST) return outcome;
    is_again = is_sent;
    outcome = open_line(line, false, request->on_signal);
    if (outcome == FAILED) leave_open(request);
    if (outcome != ANSWERED) return outcome;
  }
}

/* Random, and this process's own. */
const char *token(void) {
  static char text[21];
  unsigned char random[sizeof text];
  if (text[0] != '\0') return text;
  if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) become_node();
  for (size_t i = 0; i < sizeof text - 1; i++) text[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[random[i] % 36];
  return text;
}

/* The time after which a daemon that does not answer a request of now is given up on. */
static int64_t limit_of(const struct line *line) {
  if (line->deadline == FOREVER) return FOREVER;
  int64_t time = now();
  return (line->deadline > time ? line->deadline : time) + MARGIN;
}

/* Answers false for daemons that die one after the other. */
static bool count_loss(struct line *line) {
  int64_t time = now();
  if (line->losses <= MOST_LOSSES) {
    line->times[line->losses++] = time;
    return true;
  }
  int64_t oldest = line->times[0];
  memmove(line->times, line->times + 1, sizeof line->times - sizeof line->times[0]);
  line->times[MOST_LOSSES] = time;
  if (time - oldest >= WITHIN) return true;
  fail(CODE_UNREACHABLE, strdup(TEXT_DYING), text_of("%s%s", TEXT_SEE_LOG, places.log));
  return false;
}

static enum outcome find_daemon(struct line *line, bool is_first, enum on_signal on_signal, int64_t limit,
                                int64_t start_limit) {
  for (;;) {
    if (caught() != 0 && on_signal == LEAVES) return SIGNALLED;
    enum access access = check_access();
    if (access == ACCESS_DOUBT && is_first) become_node();
    int fd = access == ACCESS_READY ? connect_daemon() : -1;
    if (fd != -1) {
      line->connection = (struct connection){.fd = fd, .heard = now()};
      if (is_own_daemon(fd)) return ANSWERED;
      close_connection(&line->connection);
      return FAILED;
    }
    bool is_busy = access == ACCESS_READY && errno == EAGAIN;
    if (!is_busy && is_first) become_node();
    if (!is_busy && !line->may_start) {
      fail(CODE_NODAEMON, text_of("%s (%s)", TEXT_NO_DAEMON, places.socket), TEXT_START_IT);
      return FAILED;
    }
    if (!is_busy) {
      limit = start_limit;
      if (start_daemon(limit) == FAILED) return FAILED;
    }
    if (now() > limit) {
      fail(CODE_UNREACHABLE, text_of("%s (%s)", TEXT_UNANSWERED, places.socket),
           text_of("%s%s", TEXT_SEE_LOG, places.log));
      return FAILED;
    }
    if (is_busy) pause_for(LOOK_EVERY);
  }
}

/* Of this user, or of the one who may do anything: a manager of services may have made the socket. */
static bool is_own_daemon(int fd) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return true;
  if (peer.uid == getuid() || peer.uid == 0) return true;
  fail(CODE_NOTALLOWED, text_of("the daemon on %s belongs to another user (uid %u)", places.socket, (unsigned)peer.uid),
       NULL);
  return false;
}

static enum outcome greet(struct line *line, bool is_first, enum on_signal on_signal, int64_t limit) {
  struct request hello = {.name = REQUEST_HELLO};
  struct bytes bytes = {0};
  struct reader answer, value;
  const char *text;
  size_t length;
  hello.values[FIELD_HOLDER] = line->holds ? holder() : NULL;
  encode_request(&hello, &bytes);
  /* The last request is still to come. */
  if (on_signal == FINISHES) on_signal = IS_HELD;
  enum outcome outcome = exchange(&line->connection, &bytes, &(struct terms){limit, false, on_signal}, &answer);
  free(bytes.start);
  if (outcome == FAILED && failure.code == CODE_PROTOCOL && is_first) become_node();
  if (outcome != ANSWERED) return outcome;
  bool is_refused = type_at(&answer) == '-';
  if (!is_refused) {
    bool is_mq = find_in_map(answer, "server", &value) && read_bulk(&value, &text, &length) && length == 2 &&
                 memcmp(text, "mq", 2) == 0;
    bool has_limit = find_in_map(answer, "max_message", &value) && read_integer(&value, &line->max_message);
    bool has_version = find_in_map(answer, "version", &value) && read_bulk(&value, &text, &length);
    if (is_mq && has_limit && has_version && !is_newer(text, length)) return ANSWERED;
    if (is_first) become_node();
    if (is_mq && has_limit && has_version) return replace(line, answer, false);
    fail(CODE_PROTOCOL, strdup(TEXT_NOT_MQ), NULL);
    return FAILED;
  }
  if (is_first) become_node();
  fail_by_answer(answer);
  if (failure.code != CODE_PROTOCOL && failure.code != CODE_USAGE) return FAILED;
  return replace(line, answer, true);
}

/* An older daemon came back, or one that speaks another protocol: `mq start` sees to that, once. */
static enum outcome replace(struct line *line, struct reader answer, bool is_refused) {
  if (!line->may_start && !is_refused) return ANSWERED;
  if (!line->may_start || line->replaced) {
    if (is_refused) fail_by_answer(answer);
    else fail(CODE_OUTDATED, NULL, NULL);
    return FAILED;
  }
  line->replaced = true;
  close_connection(&line->connection);
  return start_daemon(now() + PATIENCE) == FAILED ? FAILED : LOST;
}

/* Whether this mq is of a later version than that one: see version.ts. */
static bool is_newer(const char *version, size_t length) {
  char other[64] = "";
  if (length < sizeof other) memcpy(other, version, length);
  const char *own = MQ_VERSION, *its = other;
  for (int part = 0; part < 3; part++) {
    long difference = strtol(own, NULL, 10) - strtol(its, NULL, 10);
    if (difference != 0) return difference > 0;
    own += strcspn(own, ".+-");
    its += strcspn(its, ".+-");
    own += *own != '\0';
    its += *its != '\0';
  }
  return false;
}

/* The name of this process: see holder.ts. */
static const char *holder(void) {
  static char *name;
  if (name != NULL) return name;
  char boot[64], namespace[64], stat[1024], start[32] = "-";
  if (word_in("/proc/sys/kernel/random/boot_id", boot, sizeof boot) == NULL) strcpy(boot, "-");
  ssize_t length = readlink("/proc/self/ns/pid", namespace, sizeof namespace - 1);
  namespace[length < 0 ? 0 : length] = '\0';
  const char *digits = namespace + strcspn(namespace, "0123456789");
  char *number = strndup(digits, strspn(digits, "0123456789"));
  /* Field 22, behind a name that may hold anything in parentheses; the first one behind that is field 3. */
  char *field = word_in("/proc/self/stat", stat, sizeof stat) == NULL ? NULL : strrchr(stat, ')');
  for (int i = 2; field != NULL && i < 22; i++) field = strchr(field + 1, ' ');
  if (field != NULL) sscanf(field, " %31[0-9]", start);
  name = text_of("%s,%s,%s,%ld,%s", token(), boot, number == NULL || *number == '\0' ? "-" : number, (long)getpid(), start);
  free(number);
  return name;
}

/* The first line of a file; NULL where it cannot be read. */
static char *word_in(const char *path, char *into, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd == -1 ? -1 : read(fd, into, size - 1);
  if (fd != -1) close(fd);
  if (length <= 0) return NULL;
  into[length] = '\0';
  into[strcspn(into, "\n")] = '\0';
  return into;
}

/* Nobody answers any more, and a daemon may have heard of it. */
static void leave_open(const struct request *request) {
  if (request->unknown == NULL) return;
  fail(CODE_UNKNOWN, text_of("%s: %s", failure.text == NULL ? "" : failure.text, request->unknown), failure.advice);
}
