/*
 * One connection: a request goes out, and its answer comes in. It ends LOST when the daemon died, and then another can be
 * asked; it FAILED when the daemon was stopped, hangs, or is none of mq's.
 */
#include "front.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes asked for at a time, and more where much is under way. */
enum { CHUNK = 4096, LARGEST_CHUNK = 1024 * 1024 };

/* The daemon is asked over another connection whether it lives; between two attempts to reach it, in ms. */
enum { PROBE_EVERY = 100 };
struct probe { int fd; int64_t due, end; };

static enum outcome look_at_answers(struct connection *connection, struct reader *answer);
static void hear(struct connection *connection, struct reader push);
static void receive(struct connection *connection);
static bool is_hanging(struct probe *probe);
static void hear_probe(struct probe *probe);

/* The answer is there until the next exchange. */
enum outcome exchange(struct connection *connection, const struct bytes *request, const struct terms *terms,
                      struct reader *answer) {
  size_t sent = 0;
  struct probe probe = {-1, terms->doubts ? now() + DOUBT : FOREVER, FOREVER};
  enum outcome outcome;
  for (;;) {
    outcome = look_at_answers(connection, answer);
    if (outcome != SIGNALLED) break;
    if (caught() != 0 && terms->on_signal == LEAVES) break;
    if (caught() != 0 && terms->on_signal == FINISHES && !connection->finished && sent == request->length) {
      shutdown(connection->fd, SHUT_WR);
      connection->finished = true;
    }
    /* As long as it says something, it is busy. */
    int64_t limit = terms->limit;
    if (limit != FOREVER && limit < connection->heard + MARGIN) limit = connection->heard + MARGIN;
    if (now() >= limit || is_hanging(&probe)) {
      fail(CODE_UNREACHABLE, strdup(TEXT_UNANSWERED), NULL);
      outcome = FAILED;
      break;
    }
    struct pollfd polled[2] = {{connection->fd, POLLIN, 0}, {probe.fd, POLLIN, 0}};
    if (sent < request->length) polled[0].events |= POLLOUT;
    int64_t until = limit < probe.due ? limit : probe.due;
    wait_for(polled, 2, until);
    if (polled[1].revents != 0) hear_probe(&probe);
    if ((polled[0].revents & POLLOUT) != 0 && sent < request->length) {
      ssize_t size = send(connection->fd, request->start + sent, request->length - sent, MSG_NOSIGNAL);
      if (size > 0) sent += (size_t)size;
      /* The daemon reads no more; its answers from before that come now. */
      else if (errno != EAGAIN && errno != EINTR) sent = request->length;
    }
    if ((polled[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) receive(connection);
  }
  if (probe.fd != -1) close(probe.fd);
  return outcome;
}

/* Takes in what comes unasked; answers whether the connection goes on. */
bool listen_to(struct connection *connection) {
  struct reader answer;
  receive(connection);
  return look_at_answers(connection, &answer) == SIGNALLED;
}

void close_connection(struct connection *connection) {
  if (connection->fd != -1) close(connection->fd);
  free(connection->in.start);
  *connection = (struct connection){.fd = -1};
}

/* SIGNALLED: there is none yet. */
static enum outcome look_at_answers(struct connection *connection, struct reader *answer) {
  struct bytes *in = &connection->in;
  while (connection->taken < in->length) {
    const char *start = in->start + connection->taken;
    size_t end;
    enum frame frame = frame_end(start, in->length - connection->taken, &end);
    if (frame == FRAME_PART) break;
    if (frame == FRAME_BAD) {
      fail(CODE_PROTOCOL, strdup(TEXT_NOT_MQ), NULL);
      close_connection(connection);
      return FAILED;
    }
    connection->taken += end;
    *answer = (struct reader){start, start + end};
    if (*start != '>') return ANSWERED;
    hear(connection, *answer);
  }
  if (connection->fd != -1) return SIGNALLED;
  if (!connection->stopped) return LOST;
  fail(CODE_STOPPED, strdup(TEXT_STOPPED), NULL);
  return FAILED;
}

static void hear(struct connection *connection, struct reader push) {
  int64_t size;
  const char *word;
  size_t length;
  if (read_size(&push, '>', &size) && size > 0 && read_bulk(&push, &word, &length) && length == strlen("stopped") &&
      memcmp(word, "stopped", length) == 0)
    connection->stopped = true;
}

static void receive(struct connection *connection) {
  struct bytes *in = &connection->in;
  if (connection->taken == in->length) connection->taken = in->length = 0;
  size_t wanted = in->length < CHUNK ? CHUNK : in->length < LARGEST_CHUNK ? in->length : LARGEST_CHUNK;
  if (in->room - in->length < wanted && connection->taken > 0) {
    /* Bytes that were read are not kept. */
    memmove(in->start, in->start + connection->taken, in->length - connection->taken);
    in->length -= connection->taken;
    connection->taken = 0;
  }
  make_room(in, wanted);
  ssize_t size = recv(connection->fd, in->start + in->length, in->room - in->length, 0);
  if (size > 0) {
    in->length += (size_t)size;
    connection->heard = now();
  } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
    close(connection->fd);
    connection->fd = -1;
  }
}

/* Asks, when that is due, whether the daemon answers others; answers whether it does not. */
static bool is_hanging(struct probe *probe) {
  if (now() < probe->due) return false;
  if (probe->end == FOREVER) probe->end = now() + PATIENCE;
  if (now() >= probe->end) return true;
  probe->due = now() + PROBE_EVERY;
  if (probe->fd != -1) return false;
  probe->fd = connect_daemon();
  static const struct request PING = {.name = REQUEST_PING};
  struct bytes hello = {0};
  encode_request(&PING, &hello);
  if (probe->fd == -1 && errno != EAGAIN) hear_probe(probe);
  else if (probe->fd != -1) send(probe->fd, hello.start, hello.length, MSG_NOSIGNAL);
  free(hello.start);
  return false;
}

/* The daemon lives; or it has ended, which all connections notice. */
static void hear_probe(struct probe *probe) {
  if (probe->fd != -1) close(probe->fd);
  *probe = (struct probe){-1, now() + DOUBT, FOREVER};
}

/* `-CODE [stored] text`. */
void fail_by_answer(struct reader answer) {
  size_t length = (size_t)(answer.end - answer.at) - 1;
  const char *text = answer.at + 1, *end = answer.at + length;
  if (length > 0 && end[-1] == '\r') end--;
  const char *code_end = text;
  while (code_end < end && *code_end != ' ') code_end++;
  int code = code_named(text, (size_t)(code_end - text));
  if (code == -1) {
    fail(CODE_PROTOCOL, text_of("%s%.*s", TEXT_ANSWERED, (int)(end - text), text), NULL);
    return;
  }
  const char *rest = code_end < end ? code_end + 1 : end, *digits = rest;
  while (digits < end && *digits >= '0' && *digits <= '9' && digits - rest < 15) digits++;
  bool has_number = digits > rest && digits < end && *digits == ' ';
  int64_t stored = has_number ? strtoll(rest, NULL, 10) : -1;
  if (has_number) rest = digits + 1;
  fail(code, strndup(rest, (size_t)(end - rest)), NULL);
  failure.stored = stored;
}
