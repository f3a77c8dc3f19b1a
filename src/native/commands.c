/*
 * The commands that run for Node: its requests, and what it is told.
 *
 * A frame in either direction is a length (32 bits, of what follows it), a kind (8 bits), and fields; numbers are in the order
 * of bytes of the machine. src/work/starter.ts is the other side, and numbers the kinds.
 *
 *   LOOK     count (32), texts that end in NUL: the command is the last `count` words of the command line; the first text is
 *            replaced in its arguments by messages, the others are the names of variables that START sets
 *   START    id (32), place (8), for each of the standard streams: source (8), descriptor (32); most (64), size of the
 *            variables (32), variables, each ended by NUL, message
 *   SIGNAL   id (32), signal (8): to the command, or to all of a session of its own
 *   PIPE, CLOSE descriptor (32): a pipe, of which Node opens one end by way of /proc; a descriptor of it that is not needed
 *   PING     whether the starter lives: the leases of one that hangs run out
 *
 *   FOUND    errno (32): the answer to LOOK
 *   FAILED   id (32), what (8), errno (32): the answer to START where nothing runs
 *   ENDED    id (32), signal (8), status (8), size (64), the output that was kept, unless it is larger than `most`
 *   PIPED    reader (32), writer (32), errno (32)
 *   ALIVE    the answer to PING
 *   STOPPED, CONTINUED   the job was stopped at its terminal; it goes on
 */
#include "front.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bytes read at a time; bytes that wait for Node at most, before more of an output is read. */
enum { READ = 64 * 1024, WAITING = 1024 * 1024 };

/* Pipes that can be open at a time. */
enum { MOST_PIPES = 8 };

struct running { pid_t pid; uint32_t id; int place; int output; uint64_t most; };
struct ended { struct ended *next; uint32_t id; uint8_t signal, status; int output; uint64_t size, sent; };

static int node_socket;
static struct bytes in, out;
static size_t out_sent;
static struct running *running;
static size_t running_count, running_room;
static struct ended *first_ended, **last_ended = &first_ended;
static int pipes[2 * MOST_PIPES];

static bool take_request(struct fields request);
static void start(struct fields *request);
static void signal_command(struct fields *request);
static void make_pipe(void);
static void close_pipe(struct fields *request);
static void fill_out(void);
static size_t begin_frame(int kind);
static void end_frame(size_t at);
static void add_number(uint64_t number, size_t size);

void serve_node(int socket) {
  node_socket = socket;
  for (size_t i = 0; i < 2 * MOST_PIPES; i++) pipes[i] = -1;
}

struct pollfd polled_node(void) {
  return (struct pollfd){node_socket, (short)(POLLIN | (out.length > out_sent ? POLLOUT : 0)), 0};
}

/* Commands in sessions of their own get the signal. */
void signal_sessions(int number) {
  for (size_t i = 0; i < running_count; i++)
    if (running[i].place == PLACE_SESSION) kill(-running[i].pid, number);
}

/* Whether a command has the terminal, and with it Ctrl-C. Its end has not been taken note of yet. */
bool terminal_is_given(void) {
  for (size_t i = 0; i < running_count; i++)
    if (running[i].place == PLACE_TERMINAL) return true;
  return false;
}

/* A process has ended: perhaps one that the front was given when it was started. */
void end_command(pid_t pid, int status) {
  size_t at = 0;
  while (at < running_count && running[at].pid != pid) at++;
  if (at == running_count) return;
  struct running command = running[at];
  running[at] = running[--running_count];
  struct ended *ended = calloc(1, sizeof *ended);
  if (ended == NULL) out_of_memory();
  *ended = (struct ended){.id = command.id, .output = command.output};
  if (WIFSIGNALED(status)) ended->signal = (uint8_t)WTERMSIG(status);
  else ended->status = (uint8_t)WEXITSTATUS(status);
  if (command.output != -1) ended->size = size_of(command.output);
  if (ended->size > command.most || ended->size == 0) {
    if (ended->output != -1) close(ended->output);
    ended->output = -1;
  }
  *last_ended = ended;
  last_ended = &ended->next;
}

/* One command after the other; a large output in parts, as Node takes them. */
static void fill_out(void) {
  for (struct ended *ended; (ended = first_ended) != NULL && out.length - out_sent < WAITING;) {
    if (ended->sent == 0) {
      size_t at = begin_frame(ANSWER_ENDED);
      add_number(ended->id, 4);
      add_number(ended->signal, 1);
      add_number(ended->status, 1);
      add_number(ended->size, 8);
      end_frame(at);
      if (ended->output != -1) {
        uint32_t length = (uint32_t)(out.length - at - 4 + ended->size);
        memcpy(out.start + at, &length, sizeof length);
      }
    }
    uint64_t left = ended->output == -1 ? 0 : ended->size - ended->sent;
    size_t part = left < READ ? (size_t)left : READ;
    make_room(&out, part);
    ssize_t size = part == 0 ? 0 : pread(ended->output, out.start + out.length, part, (off_t)ended->sent);
    if (size < (ssize_t)part) {
      /* Somebody has cut the file since the command has ended. */
      if (size < 0) size = 0;
      memset(out.start + out.length + size, 0, part - (size_t)size);
    }
    out.length += part;
    ended->sent += part;
    if (left > part) continue;
    if (ended->output != -1) close(ended->output);
    first_ended = ended->next;
    if (first_ended == NULL) last_ended = &first_ended;
    free(ended);
  }
}

/* Answers whether all is sent. */
bool send_answers(void) {
  for (;;) {
    fill_out();
    if (out.length == out_sent || node_socket == -1) return true;
    ssize_t size = send(node_socket, out.start + out_sent, out.length - out_sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    out_sent += (size_t)size;
    if (out_sent < out.length) continue;
    release(&out, WAITING);
    out_sent = 0;
  }
}

/* Takes the requests that are there. */
void take_requests(void) {
  uint32_t length;
  size_t wanted = in.length >= 4 ? (memcpy(&length, in.start, 4), (size_t)length + 4 - in.length) : 0;
  make_room(&in, wanted < READ ? READ : wanted);
  ssize_t size = recv(node_socket, in.start + in.length, in.room - in.length, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    /* Node is about to end, or has closed the socket: its exit status will tell. */
    close(node_socket);
    node_socket = -1;
    return;
  }
  in.length += (size_t)size;
  size_t at = 0;
  while (in.length - at >= 4) {
    memcpy(&length, in.start + at, 4);
    if (length > in.length - at - 4) break;
    if (!take_request((struct fields){in.start + at + 4, in.start + at + 4 + length})) {
      note("an error in mq itself: a request to the starter that it does not know");
      _exit(70);
    }
    at += 4 + (size_t)length;
  }
  in.length -= at;
  memmove(in.start, in.start + at, in.length);
  if (in.length == 0) release(&in, WAITING);
}

static bool take_request(struct fields request) {
  uint64_t kind = take_number(&request, 1);
  if (kind == STARTER_LOOK) {
    int reason = look(&request);
    size_t at = begin_frame(ANSWER_FOUND);
    add_number((uint64_t)reason, 4);
    end_frame(at);
  } else if (kind == STARTER_START) {
    start(&request);
  } else if (kind == STARTER_SIGNAL) {
    signal_command(&request);
  } else if (kind == STARTER_PIPE) {
    make_pipe();
  } else if (kind == STARTER_CLOSE) {
    close_pipe(&request);
  } else if (kind == STARTER_PING) {
    answer(ANSWER_ALIVE);
  } else {
    return false;
  }
  return request.at != NULL;
}

static void start(struct fields *request) {
  if (running_count == running_room) {
    running_room = running_room * 2 + 16;
    running = realloc(running, running_room * sizeof *running);
    if (running == NULL) out_of_memory();
  }
  struct started started = {.output = -1};
  struct running *command = &running[running_count];
  *command = (struct running){.id = (uint32_t)take_number(request, 4)};
  command->place = (int)take_number(request, 1);
  int reason = start_command(request, command->place == PLACE_SESSION, &started);
  /* The frame was not understood. */
  if (request->at == NULL) return;
  if (reason == 0) {
    command->pid = started.pid;
    command->output = started.output;
    command->most = started.most;
    running_count++;
    return;
  }
  size_t at = begin_frame(ANSWER_FAILED);
  add_number(command->id, 4);
  add_number((uint64_t)started.failed, 1);
  add_number((uint64_t)reason, 4);
  end_frame(at);
}

static void signal_command(struct fields *request) {
  uint32_t id = (uint32_t)take_number(request, 4);
  int number = (int)take_number(request, 1);
  for (size_t i = 0; request->at != NULL && i < running_count; i++)
    if (running[i].id == id) kill(running[i].place == PLACE_SESSION ? -running[i].pid : running[i].pid, number);
}

static void make_pipe(void) {
  int ends[2] = {-1, -1}, *slot = pipes, reason = EMFILE;
  while (slot < pipes + 2 * MOST_PIPES && (slot[0] != -1 || slot[1] != -1)) slot += 2;
  if (slot < pipes + 2 * MOST_PIPES) reason = pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
  if (reason == 0) memcpy(slot, ends, sizeof ends);
  size_t at = begin_frame(ANSWER_PIPED);
  add_number((uint32_t)ends[0], 4);
  add_number((uint32_t)ends[1], 4);
  add_number((uint64_t)reason, 4);
  end_frame(at);
}

static void close_pipe(struct fields *request) {
  int fd = (int)take_number(request, 4);
  for (size_t i = 0; request->at != NULL && fd != -1 && i < 2 * MOST_PIPES; i++) {
    if (pipes[i] != fd) continue;
    close(fd);
    pipes[i] = -1;
  }
}

/* Whether it is an end of a pipe that was made here. */
bool is_pipe(int fd) {
  for (size_t i = 0; i < 2 * MOST_PIPES; i++)
    if (fd != -1 && pipes[i] == fd) return true;
  return false;
}

/* Tells what has no fields. */
void answer(int kind) {
  end_frame(begin_frame(kind));
}

static size_t begin_frame(int kind) {
  size_t at = out.length;
  add_number(0, 4);
  add_number((uint64_t)kind, 1);
  return at;
}

static void end_frame(size_t at) {
  uint32_t length = (uint32_t)(out.length - at - 4);
  memcpy(out.start + at, &length, sizeof length);
}

static void add_number(uint64_t number, size_t size) {
  uint8_t byte = (uint8_t)number;
  uint32_t word = (uint32_t)number;
  if (size == 1) add(&out, &byte, 1);
  else if (size == 4) add(&out, &word, 4);
  else add(&out, &number, 8);
}
