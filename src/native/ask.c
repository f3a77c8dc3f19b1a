/* mq size, empty, full and join; and what several commands have in common. */
#include "front.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int print_number(int64_t number);

int question(void) {
  static const int REQUESTS[] = {
    [COMMAND_SIZE] = REQUEST_SIZE, [COMMAND_EMPTY] = REQUEST_EMPTY, [COMMAND_FULL] = REQUEST_FULL, [COMMAND_JOIN] = REQUEST_JOIN,
  };
  bool joins = invocation.name == COMMAND_JOIN;
  int64_t deadline = joins ? deadline_of() : FOREVER, number;
  struct line line = {.connection = {.fd = -1}, .may_start = !has(OPTION_NO_START), .deadline = deadline};
  struct request request = {.name = REQUESTS[invocation.name], .deadline = deadline, .on_signal = IS_HELD};
  struct reader answer;
  request.values[FIELD_QUEUE] = invocation.operands[0];
  if (open_line(&line, true, IS_HELD) != ANSWERED || ask(&line, &request, &answer) != ANSWERED)
    return report(has(OPTION_QUIET));
  if (joins && type_at(&answer) == '_') {
    char *counts = has(OPTION_QUIET) ? "" : counts_of(&line, invocation.operands, 1);
    fail(CODE_UNFINISHED, text_of("%s%s", TEXT_UNFINISHED, counts), NULL);
    return report(has(OPTION_QUIET));
  }
  if (joins && type_at(&answer) == '+') return 0;
  if (joins || !read_integer(&answer, &number)) {
    fail(CODE_PROTOCOL, strdup(TEXT_NOT_UNDERSTOOD), NULL);
    return report(false);
  }
  if (invocation.name == COMMAND_SIZE) return print_number(number);
  fail(CODE_NO, NULL, NULL);
  return number == 1 ? 0 : failure.status;
}

static int print_number(int64_t number) {
  char *text = text_of("%" PRId64 "\n", number);
  struct bytes parts[3] = {{text, strlen(text), 0}};
  return write_all(NULL, parts) ? 0 : write_failed();
}

bool has(int option) {
  return invocation.options[option] != NULL;
}

/* The time at which a wait ends. A value that makes no sense is for Node. */
int64_t deadline_of(void) {
  int64_t wait;
  const char *timeout = invocation.options[OPTION_TIMEOUT];
  if (has(OPTION_NOWAIT) && timeout != NULL) become_node();
  if (has(OPTION_NOWAIT)) return 0;
  if (timeout == NULL) return FOREVER;
  if (!parse_duration(timeout, 0, LONGEST_WAIT, &wait)) become_node();
  return wait == 0 ? 0 : begun + wait;
}

/* How many messages there are in these queues, as ` (2 waiting, paused)`: see counts.ts. */
char *counts_of(struct line *line, char **queues, int count) {
  static const char *const STATES[] = {MQ_STATES};
  enum { STATES_TOTAL = sizeof STATES / sizeof STATES[0] };
  int64_t sums[STATES_TOTAL] = {0}, number;
  struct bytes missing = {0}, parts = {0};
  bool is_paused = false;
  for (int i = 0; i < count; i++) {
    struct request stat = {.name = REQUEST_STAT, .on_signal = IS_HELD};
    struct reader answer, value;
    stat.values[FIELD_QUEUE] = queues[i];
    line->deadline = 0;
    enum outcome outcome = ask(line, &stat, &answer);
    for (size_t state = 0; outcome == ANSWERED && state < STATES_TOTAL; state++)
      if (find_in_map(answer, STATES[state], &value) && read_integer(&value, &number)) sums[state] += number;
    if (outcome == ANSWERED && find_in_map(answer, "paused", &value) && read_integer(&value, &number) && number > 0)
      is_paused = true;
    if (outcome != FAILED || failure.code != CODE_NOQUEUE) continue;
    add_text(&missing, missing.length == 0 ? TEXT_NO_QUEUE : ", ");
    add_text(&missing, queues[i]);
  }
  for (size_t state = 0; state < STATES_TOTAL; state++)
    if (sums[state] > 0) add_text(&parts, text_of("%s%" PRId64 " %s", parts.length == 0 ? "" : ", ", sums[state], STATES[state]));
  if (is_paused) add_text(&parts, parts.length == 0 ? "paused" : ", paused");
  if (missing.length > 0 && parts.length > 0) add_text(&parts, ", ");
  add(&parts, missing.start, missing.length);
  add(&parts, "", 1);
  return parts.length == 1 ? "" : text_of(" (%s)", parts.start);
}
