/*
 * The front of mq: the commands that scripts call most, without the start of Node. It asks a daemon that runs, prints the
 * texts that the program in TypeScript prints, and in every doubt becomes that program (become.c), but only before it has
 * sent a request or printed a byte. Tables of both are in table.h, which the build makes (src/build/front-table.ts).
 *
 *   front.c        argv -> one command -> one exit status
 *   arguments.c    the command line, by the catalog
 *   values.c       names, durations, integers, leases, UTF-8
 *   put.c get.c ask.c settle.c   the commands
 *   requests.c     requests as bytes
 *   line.c         requests and answers over a connection that survives the daemon
 *   connection.c   one connection; frames.c: its answers
 *   daemon.c       places.c: where the daemon is; finding it, and starting it again
 *   wait.c         clock, signals, waiting
 *   say.c          what goes to standard error
 *   become.c       becoming Node
 *   starter.c      for `mq work` and `mq pipe -- COMMAND`: the front stays, and starts commands for Node, its child
 *   commands.c     the requests of Node, and the commands that run; fields.c: fields of the frames
 *   start.c        the start of one command; temporary.c: unnamed files for messages and outputs
 *   environment.c  the environment as it was before the shell of bin/mq
 */
#ifndef FRONT_H
#define FRONT_H

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MOST_OPTIONS = 16, MOST_ADVICE = 4, MOST_WORDS = 16 };

struct code_row { const char *name; int status; bool expected; const char *advice; };
struct option_row { const char *name; char letter; bool takes_value; int option; };
struct advice_row { int code; const char *text; };
struct command {
  const char *name;
  int least, most;
  bool may_start;
  struct option_row options[MOST_OPTIONS];
  struct advice_row advice[MOST_ADVICE];
};
struct word_row { const char *word; int field; };
struct request_row { bool reads, waits, once; struct word_row words[MOST_WORDS]; };
struct reason { int number; const char *text; };
struct unit { const char *name; double milliseconds; };

#include "table.h"

#define FOREVER INT64_MAX

/* Bytes that grow; the limit is the caller's. */
struct bytes { char *start; size_t length, room; };
void make_room(struct bytes *in, size_t more);
void add(struct bytes *to, const void *from, size_t length);
void add_text(struct bytes *to, const char *text);
char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
void release(struct bytes *bytes, size_t most);
_Noreturn void out_of_memory(void);

/* A command line. Options that are flags have an empty value. */
struct invocation {
  const struct command *command;
  int name;
  char **operands;
  int count;
  const char *options[OPTION_TOTAL];
};
extern struct invocation invocation;

/* arguments.c */
bool parse_arguments(int count, char **arguments, struct invocation *into);

/* values.c: each answers whether the text is one. */
bool is_name(const char *text);
bool is_lease(const char *text);
bool is_utf8(const char *text, size_t length);
bool parse_integer(const char *text, int64_t least, int64_t most, int64_t *into);
bool parse_duration(const char *text, int64_t least, int64_t most, int64_t *into);
char *readable(const char *text, size_t length);

/* become.c */
void remember_start(char **arguments);
void begin_input(const struct bytes *read);
void commit(void);
void give_starter(int fd);
_Noreturn void become_node(void);
const char *program(void);
extern sigset_t given_mask;

/* wait.c */
int64_t now(void);
extern int64_t begun;
void catch_signals(void (*last_word)(void));
void let_signals_go(void);
int caught(void);
int wait_for(struct pollfd *polled, nfds_t count, int64_t until);
void pause_for(int64_t milliseconds);
_Noreturn void die_by(int number);

/* A failure: as MqError. */
struct failure { int code, status; char *text, *advice; int64_t stored; };
extern struct failure failure;
void fail(int code, char *text, char *advice);

/* say.c */
void note(const char *text);
int report(bool quiet);
const char *reason_of(int number);
int code_named(const char *name, size_t length);

/* frames.c: a frame is one value of RESP. */
enum frame { FRAME_WHOLE, FRAME_PART, FRAME_BAD };
enum frame frame_end(const char *bytes, size_t length, size_t *end);
struct reader { const char *at, *end; };
char type_at(const struct reader *reader);
bool read_integer(struct reader *reader, int64_t *into);
bool read_size(struct reader *reader, char type, int64_t *into);
bool read_bulk(struct reader *reader, const char **bytes, size_t *length);
bool skip_value(struct reader *reader);
bool find_in_map(struct reader map, const char *key, struct reader *value);

/* places.c */
struct places { char home[PATH_MAX], socket[PATH_MAX], log[PATH_MAX]; };
extern struct places places;
bool find_places(void);
enum access { ACCESS_READY, ACCESS_ABSENT, ACCESS_DOUBT } check_access(void);

/* connection.c */
struct connection {
  int fd;
  struct bytes in;
  size_t taken; /* of `in`: frames that were read */
  int64_t heard;
  bool stopped, finished;
};
enum outcome { ANSWERED, LOST, FAILED, SIGNALLED };
/* The effect of a signal while an answer is awaited: the wait ends, or the daemon is told to let nothing wait, or nothing. */
enum on_signal { LEAVES, FINISHES, IS_HELD };
struct terms { int64_t limit; bool doubts; enum on_signal on_signal; };
enum outcome exchange(struct connection *connection, const struct bytes *request, const struct terms *terms,
                      struct reader *answer);
bool listen_to(struct connection *connection);
void close_connection(struct connection *connection);
void fail_by_answer(struct reader answer);

/* daemon.c */
int connect_daemon(void);
enum outcome start_daemon(int64_t until);

/* requests.c */
struct request {
  int name;
  const char *values[FIELD_TOTAL];
  char **further; /* of GET: ended by NULL */
  int64_t deadline;
  const struct bytes *messages; /* of PUT */
  int count;
  enum on_signal on_signal;
  const char *unknown; /* what an end without an answer leaves open; NULL: nothing */
  bool doubts_stop;    /* so does a stop of the daemon */
};
bool waits(int name);
bool happens_once(int name);
void encode_request(const struct request *request, struct bytes *to);

/* line.c */
struct line {
  struct connection connection;
  bool may_start, holds;
  int64_t deadline;
  int64_t max_message;
  int64_t times[MOST_LOSSES + 1];
  int losses;
  bool replaced;
};
enum outcome open_line(struct line *line, bool is_first, enum on_signal on_signal);
enum outcome ask(struct line *line, struct request *request, struct reader *answer);
const char *token(void);

/* starter.c */
bool runs_command(int count, char **words);
_Noreturn void become_starter(int count, char **words);

/* commands.c */
void serve_node(int socket);
struct pollfd polled_node(void);
void take_requests(void);
bool send_answers(void);
void answer(int kind);
bool terminal_is_given(void);
void signal_sessions(int number);
void end_command(pid_t pid, int status);
bool is_pipe(int fd);

/* fields.c: fields of a frame between Node and the starter. `at` is NULL once there was less than was to be taken. */
struct fields { const char *at, *end; };
uint64_t take_number(struct fields *fields, size_t size);
const char *take_bytes(struct fields *fields, size_t length);
const char *take_text(struct fields *fields);

/* start.c */
struct started { pid_t pid; int output, failed; uint64_t most; };
void prepare_starts(int count, char **line, bool ignores_children);
int look(struct fields *request);
int start_command(struct fields *request, bool has_session, struct started *started);

/* environment.c */
#define GIVEN "MQ_GIVEN="
int print_changes(void);
void restore_environment(void);
bool is_own(const char *variable);

/* temporary.c: each answers a descriptor, or -1 with errno. */
int file_with(const void *bytes, size_t length);
int file_for(const void *bytes, size_t length);
uint64_t size_of(int fd);

/* The commands: each answers the exit status. */
int put(void);
int get(void);
int settle(void);
int question(void);
int64_t deadline_of(void);
bool has(int option);
char *counts_of(struct line *line, char **queues, int count);
bool write_all(struct line *line, struct bytes parts[3]);
int write_failed(void);

#endif
