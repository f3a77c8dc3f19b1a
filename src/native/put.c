/* mq put: messages from the operands, or from standard input where that ends soon. */
#include "front.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* For so long, in ms, the end of standard input is awaited once something has come: who puts as it comes is to go on. */
enum { GRACE = 50 };

static int64_t stored;

static void set_options(struct request *request);
static void read_input(struct bytes *into);
static bool shows_progress(void);
static bool may_wait(struct line *line);
static bool is_input_there(int64_t end);
static void pack(struct bytes *into, const char *message, size_t length, int64_t most);
static void pack_input(struct bytes *into, int *count, const struct bytes *input, int64_t most);
static int told(int number);
static void say_interrupted(const char *rest);
static void say_last_word(void);
static char *count_text(void);

int put(void) {
  struct request request = {.name = REQUEST_PUT, .deadline = deadline_of(), .on_signal = FINISHES, .unknown = TEXT_MAY_BE_DONE};
  struct line line = {.connection = {.fd = -1}, .may_start = !has(OPTION_NO_START), .deadline = request.deadline};
  struct bytes input = {0}, messages = {0};
  struct reader answer;
  int given = invocation.count - 1;
  set_options(&request);
  if (given == 0 && isatty(STDIN_FILENO)) become_node();
  size_t length = 0;
  for (int i = 1; i <= given; i++) length += strlen(invocation.operands[i]);
  if (length > (size_t)FRAME) become_node();
  catch_signals(say_last_word);
  enum outcome outcome = open_line(&line, true, LEAVES);
  if (outcome == ANSWERED) {
    if (given == 0 && shows_progress() && may_wait(&line)) become_node();
    if (given == 0) read_input(&input);
    for (int i = 1; i <= given; i++)
      pack(&messages, invocation.operands[i], strlen(invocation.operands[i]), line.max_message);
    request.count = given;
    if (given == 0) pack_input(&messages, &request.count, &input, line.max_message);
    request.messages = &messages;
    if (caught() != 0) return told(caught());
    if (request.count > 0) outcome = ask(&line, &request, &answer);
  }
  if (outcome == ANSWERED) stored = request.count;
  else if (failure.stored > 0) stored = failure.stored;
  if (caught() != 0) return told(caught());
  if (outcome == ANSWERED) return 0;
  if (given != 1) {
    char *text = failure.text == NULL ? "" : failure.text;
    failure.text = text_of("%s; %s%s", text, count_text(), failure.code == CODE_UNKNOWN ? TEXT_FOR_CERTAIN : "");
  }
  return report(has(OPTION_QUIET));
}

static void set_options(struct request *request) {
  static char client[64];
  const char *key = invocation.options[OPTION_KEY];
  int64_t number;
  int given = invocation.count - 1;
  request->values[FIELD_QUEUE] = invocation.operands[0];
  strcpy(client, token());
  request->values[FIELD_CLIENT] = strcat(client, ".put");
  request->values[FIELD_INDEX] = "0";
  if (has(OPTION_WHOLE) && has(OPTION_NULL)) become_node();
  if (given > 0 && (has(OPTION_WHOLE) || has(OPTION_NULL))) become_node();
  if (has(OPTION_PRIORITY)) {
    if (!parse_integer(invocation.options[OPTION_PRIORITY], LEAST_PRIORITY, MOST_PRIORITY, &number)) become_node();
    request->values[FIELD_PRIORITY] = number == 0 ? NULL : text_of("%" PRId64, number);
  }
  static const struct { int option, field; int64_t least; } PERIODS[] = {{OPTION_DELAY, FIELD_DELAY, 0}, {OPTION_TTL, FIELD_TTL, 1}};
  for (size_t i = 0; i < sizeof PERIODS / sizeof PERIODS[0]; i++) {
    const char *text = invocation.options[PERIODS[i].option];
    if (text == NULL) continue;
    if (!parse_duration(text, PERIODS[i].least, LONGEST_DELAY, &number)) become_node();
    request->values[PERIODS[i].field] = text_of("%" PRId64, number);
  }
  if (key == NULL) return;
  if (key[0] == '\0' || strlen(key) > LONGEST_KEY || !is_utf8(key, strlen(key)) || strstr(key, "\xef\xbf\xbd") != NULL)
    become_node();
  if (given != 1 && !(given == 0 && has(OPTION_WHOLE))) become_node();
  request->values[FIELD_KEY] = key;
}

/* On a terminal Node shows how far it is with a file, when that takes long. */
static bool shows_progress(void) {
  struct stat found;
  return isatty(STDERR_FILENO) && !has(OPTION_QUIET) && fstat(STDIN_FILENO, &found) == 0 && S_ISREG(found.st_mode);
}

/* Whether the queue has a limit. */
static bool may_wait(struct line *line) {
  struct request stat = {.name = REQUEST_STAT, .on_signal = IS_HELD};
  struct reader answer, value;
  int64_t limit;
  stat.values[FIELD_QUEUE] = invocation.operands[0];
  if (has(OPTION_NOWAIT)) return false;
  if (ask(line, &stat, &answer) != ANSWERED) return failure.code != CODE_NOQUEUE;
  return !find_in_map(answer, "maxsize", &value) || !read_integer(&value, &limit) || limit != 0;
}

/* All of standard input; where that is much, or does not end, Node goes on with it. */
static void read_input(struct bytes *into) {
  int64_t end = FOREVER;
  static char part[16 * 1024];
  while (is_input_there(end)) {
    ssize_t size = read(STDIN_FILENO, part, sizeof part);
    if (size == 0) return;
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (size > 0) add(into, part, (size_t)size);
    if (size > 0 && end == FOREVER) end = now() + GRACE;
    if (size < 0 || into->length > (size_t)FRAME) break;
  }
  begin_input(into);
  become_node();
}

static bool is_input_there(int64_t end) {
  for (;;) {
    struct pollfd polled = {STDIN_FILENO, POLLIN, 0};
    if (caught() != 0) exit(told(caught()));
    if (wait_for(&polled, 1, end) > 0) return true;
    if (now() >= end) return false;
  }
}

static void pack(struct bytes *into, const char *message, size_t length, int64_t most) {
  /* Node says how that ends, and what can be done. */
  if (most < 0 || length > (size_t)most) become_node();
  char *head = text_of("$%zu\r\n", length);
  add_text(into, head);
  add(into, message, length);
  add_text(into, "\r\n");
  free(head);
}

static void pack_input(struct bytes *into, int *count, const struct bytes *input, int64_t most) {
  const char *at = input->length == 0 ? "" : input->start, *end = at + input->length;
  /* Should Node have to see to it. */
  for (bool is_first = true; at < end || (is_first && has(OPTION_WHOLE)); is_first = false) {
    const char *stop = has(OPTION_WHOLE) ? NULL : memchr(at, has(OPTION_NULL) ? '\0' : '\n', (size_t)(end - at));
    const char *last = stop == NULL ? end : stop;
    if ((int64_t)(last - at) > most) {
      begin_input(input);
      become_node();
    }
    pack(into, at, (size_t)(last - at), most);
    *count += 1;
    at = stop == NULL ? end : stop + 1;
  }
}

/* Ends by the signal; says before how many messages are stored. */
static int told(int number) {
  say_interrupted(failure.code == CODE_UNKNOWN ? TEXT_FOR_CERTAIN : "");
  die_by(number);
}

static void say_interrupted(const char *rest) {
  if (has(OPTION_QUIET)) return;
  note(text_of("put %s: %s%s%s", invocation.operands[0], TEXT_INTERRUPTED, count_text(), rest));
}

static void say_last_word(void) {
  say_interrupted(TEXT_NOT_OF_THE_REST);
}

static char *count_text(void) {
  if (stored == 0) return TEXT_NONE_STORED;
  return stored == 1 ? TEXT_ONE_STORED : text_of("%" PRId64 "%s", stored, TEXT_MANY_STORED);
}
