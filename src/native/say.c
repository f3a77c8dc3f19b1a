/* Lines for people, on standard error: as terminal.ts and advice.ts say them. */
#define FRONT_CODES
#define FRONT_REASONS
#include "front.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Another program may have left the terminal so that it does not block: it is waited for, so often and for so many ms. */
enum { MOST_WAITS = 100, WAIT = 10 };

struct failure failure;

static const char *advice_on(int code);
static bool has_colour(void);
static void write_out(const struct bytes *line);

/* Both texts are kept. */
void fail(int code, char *text, char *advice) {
  failure = (struct failure){code, CODES[code].status, text, advice, -1};
}

void note(const char *text) {
  struct bytes line = {0};
  add_text(&line, "mq: ");
  add_text(&line, text);
  add_text(&line, "\n");
  write_out(&line);
}

/* Says what failed and why, and what can be done about it; answers the exit status. */
int report(bool quiet) {
  if (quiet && CODES[failure.code].expected) return failure.status;
  /* A text that is not known here is told by its code. */
  const char *why = failure.text == NULL ? CODES[failure.code].name : failure.text;
  const char *advice = failure.advice == NULL ? advice_on(failure.code) : failure.advice;
  bool colour = has_colour();
  char *what = text_of("%s %s: %s", invocation.command->name, invocation.operands[0], why);
  struct bytes line = {0};
  add_text(&line, colour ? "\033[31mmq:\033[39m " : "mq: ");
  add_text(&line, readable(what, strlen(what)));
  add_text(&line, "\n");
  if (advice != NULL && advice[0] != '\0') {
    if (colour) add_text(&line, "\033[2m");
    add_text(&line, readable(advice, strlen(advice)));
    add_text(&line, colour ? "\033[22m\n" : "\n");
  }
  write_out(&line);
  return failure.status;
}

/* An error of the system in words. */
const char *reason_of(int number) {
  for (size_t i = 0; i < sizeof REASONS / sizeof REASONS[0]; i++)
    if (REASONS[i].number == number) return REASONS[i].text;
  return strerror(number);
}

/* -1: there is none of that name. */
int code_named(const char *name, size_t length) {
  for (int i = 0; i < CODE_TOTAL; i++)
    if (strlen(CODES[i].name) == length && memcmp(CODES[i].name, name, length) == 0) return i;
  return -1;
}

static const char *advice_on(int code) {
  const struct advice_row *advice = invocation.command->advice;
  while (advice->text != NULL && advice->code != code) advice++;
  if (advice->text == NULL) return CODES[code].advice;
  struct bytes text = {0};
  for (const char *at = advice->text; *at != '\0'; at++) {
    if (*at < ' ' && *at - 1 < invocation.count) add_text(&text, invocation.operands[*at - 1]);
    else add(&text, at, 1);
  }
  add(&text, "", 1);
  return text.start;
}

/* As chalk sees it, but for what forces it. */
static bool has_colour(void) {
  const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
  if (!isatty(STDERR_FILENO) || (none != NULL && none[0] != '\0') || terminal == NULL) return false;
  static const char *const PLAIN[] = {"dumb", "unknown", ""};
  for (size_t i = 0; i < sizeof PLAIN / sizeof PLAIN[0]; i++)
    if (strcmp(terminal, PLAIN[i]) == 0) return false;
  return true;
}

static void write_out(const struct bytes *line) {
  int waits = 0;
  for (size_t at = 0; at < line->length;) {
    ssize_t size = write(STDERR_FILENO, line->start + at, line->length - at);
    if (size > 0) at += (size_t)size;
    else if (size < 0 && errno == EINTR) continue;
    /* There is nowhere left to say it; the exit status still tells. */
    else if (errno != EAGAIN || waits++ == MOST_WAITS) return;
    else poll(NULL, 0, WAIT);
  }
}
