/*
 * mq get of one message. It is held until it is written: what write(2) took is said to be taken, and what it did not take is
 * back in its place when the connection ends. Between the two, signals are held.
 */
#include "front.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each name once, and NULL behind them. */
static char **queues;

struct message { const char *queue, *lease; int64_t id; struct reader body; };

static void set_queues(int *count);
static bool read_message(struct reader answer, bool is_named, struct message *into);
static bool read_run(struct reader *runs, struct message *into);
static bool unpack(struct reader packed, struct reader *body);
static int say_taken(struct line *line, struct request *request, const struct message *message);
static int failed(struct line *line);

int get(void) {
  static struct message message;
  int count;
  set_queues(&count);
  int64_t deadline = deadline_of(), period;
  struct line line = {
    .connection = {.fd = -1}, .may_start = !has(OPTION_NO_START), .holds = true, .deadline = deadline};
  struct request request = {.name = REQUEST_GET, .further = queues + 1, .deadline = deadline, .on_signal = LEAVES};
  struct reader answer;
  if (has(OPTION_WHOLE) && has(OPTION_NULL)) become_node();
  request.values[FIELD_QUEUE] = queues[0];
  if (has(OPTION_LEASE)) {
    if (count > 1 || !parse_duration(invocation.options[OPTION_LEASE], 1, LONGEST_DELAY, &period)) become_node();
    request.values[FIELD_DURATION] = text_of("%" PRId64, period);
  }
  message.queue = queues[0];
  catch_signals(NULL);
  if (open_line(&line, true, LEAVES) != ANSWERED || ask(&line, &request, &answer) != ANSWERED) return failed(&line);
  if (type_at(&answer) == '_') {
    /* The wait may have ended as if its time were up. */
    if (caught() != 0) return failed(&line);
    char *counts = has(OPTION_QUIET) || !isatty(STDERR_FILENO) ? "" : counts_of(&line, queues, count);
    fail(CODE_EMPTY, text_of("%s%s%s", TEXT_NO_MESSAGE, deadline == 0 ? "" : TEXT_IN_TIME, counts), NULL);
    return report(has(OPTION_QUIET));
  }
  if (!read_message(answer, count > 1, &message) || (message.lease == NULL) == has(OPTION_LEASE)) {
    fail(CODE_PROTOCOL, strdup(TEXT_NOT_UNDERSTOOD), NULL);
    return failed(&line);
  }
  char *prefix = has(OPTION_LEASE) ? text_of("%s\t", message.lease) : "";
  struct bytes parts[3] = {
    {prefix, strlen(prefix), 0},
    {(char *)message.body.at, (size_t)(message.body.end - message.body.at), 0},
    {has(OPTION_NULL) ? "\0" : "\n", has(OPTION_WHOLE) ? 0 : 1, 0},
  };
  /* The answer is in the connection's buffer, which goes with it. */
  struct bytes kept = line.connection.in;
  line.connection.in = (struct bytes){0};
  line.connection.taken = 0;
  if (!write_all(&line, parts)) {
    int reason = errno;
    if (caught() != 0 || line.connection.stopped) return failed(&line);
    close_connection(&line.connection);
    errno = reason;
    return write_failed();
  }
  free(kept.start);
  return say_taken(&line, &request, &message);
}

static void set_queues(int *count) {
  queues = calloc((size_t)invocation.count + 1, sizeof *queues);
  if (queues == NULL) become_node();
  *count = 0;
  for (int i = 0; i < invocation.count; i++) {
    int other = 0;
    if (!is_name(invocation.operands[i])) become_node();
    while (other < *count && strcmp(queues[other], invocation.operands[i]) != 0) other++;
    if (other == *count) queues[(*count)++] = invocation.operands[i];
  }
}

/* One message in one run, behind the name of its queue where several were asked. */
static bool read_message(struct reader answer, bool is_named, struct message *into) {
  int64_t size;
  const char *name;
  size_t length;
  if (is_named) {
    if (!read_size(&answer, '*', &size) || size != 2 || !read_bulk(&answer, &name, &length)) return false;
    into->queue = strndup(name, length);
    if (!is_name(into->queue)) return false;
  }
  return read_size(&answer, '*', &size) && size == 1 && read_run(&answer, into);
}

static bool read_run(struct reader *runs, struct message *into) {
  int64_t fields, step, other, count, until, leases;
  const char *bytes, *lease;
  size_t length;
  if (!read_size(runs, '*', &fields) || !read_integer(runs, &into->id) || !read_integer(runs, &step)) return false;
  for (int i = 0; i < 3; i++)
    if (!read_integer(runs, &other)) return false;
  if (!read_integer(runs, &count) || count != 1 || !read_bulk(runs, &bytes, &length)) return false;
  if (!unpack((struct reader){bytes, bytes + length}, &into->body)) return false;
  if (fields < 9) return fields == 7;
  if (!read_integer(runs, &until) || !read_size(runs, '*', &leases) || leases != 1 || !read_bulk(runs, &lease, &length))
    return false;
  char *text = strndup(lease, length);
  into->lease = text;
  return text != NULL && is_lease(text);
}

/* One bulk string, and nothing behind it. */
static bool unpack(struct reader packed, struct reader *body) {
  size_t end, length;
  const char *bytes;
  if (frame_end(packed.at, (size_t)(packed.end - packed.at), &end) != FRAME_WHOLE || packed.at + end != packed.end ||
      type_at(&packed) != '$' || !read_bulk(&packed, &bytes, &length))
    return false;
  *body = (struct reader){bytes, bytes + length};
  return true;
}

/* The message is gone; or it is on lease from now on, which no longer ends with the connection. */
static int say_taken(struct line *line, struct request *got, const struct message *message) {
  struct request request = {
    .name = has(OPTION_LEASE) ? REQUEST_KEEP : REQUEST_TAKEN, .on_signal = IS_HELD, .unknown = TEXT_MAY_COME_AGAIN,
    .doubts_stop = true};
  struct reader answer;
  request.values[FIELD_QUEUE] = message->queue;
  request.values[FIELD_ID] = text_of("%" PRId64, message->id);
  request.values[FIELD_LEASE] = message->lease;
  request.values[FIELD_DURATION] = got->values[FIELD_DURATION];
  if (ask(line, &request, &answer) == ANSWERED) return 0;
  /* A lease that has run out has been printed all the same; whoever uses it is told. */
  return failure.code == CODE_NOLEASE ? 0 : failed(line);
}

static int failed(struct line *line) {
  bool is_aside = caught() != 0 || line->connection.stopped;
  if (failure.code == CODE_UNKNOWN && is_aside && !has(OPTION_QUIET)) {
    struct bytes line_of_it = {0};
    add_text(&line_of_it, "get");
    for (char **queue = queues; *queue != NULL; queue++) add_text(&line_of_it, text_of(" %s", *queue));
    add(&line_of_it, "", 1);
    note(text_of("%s: %s", line_of_it.start, failure.text));
  }
  if (caught() != 0) {
    close_connection(&line->connection);
    die_by(caught());
  }
  if (line->connection.stopped) fail(CODE_STOPPED, strdup(TEXT_STOPPED), NULL);
  return report(has(OPTION_QUIET));
}
