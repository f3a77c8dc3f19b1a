/* mq done, fail and extend: see leases.ts. */
#include "front.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool is_repeated(char *const *words, int at);
static void add_missing(struct bytes *missing, const char *lease);

int settle(void) {
  static const int REQUESTS[] = {
    [COMMAND_DONE] = REQUEST_DONE, [COMMAND_FAIL] = REQUEST_FAIL, [COMMAND_EXTEND] = REQUEST_EXTEND,
  };
  bool extends = invocation.name == COMMAND_EXTEND;
  char **leases = invocation.operands + 1;
  int count = extends ? 1 : invocation.count - 1;
  int64_t period;
  struct line line = {.connection = {.fd = -1}, .may_start = !has(OPTION_NO_START), .deadline = FOREVER};
  struct request request = {.name = REQUESTS[invocation.name], .on_signal = IS_HELD, .unknown = TEXT_MAY_BE_DONE};
  struct bytes missing = {0};
  struct failure worst = {0};
  int settled = 0;
  request.values[FIELD_QUEUE] = invocation.operands[0];
  request.values[FIELD_CLIENT] = text_of("%s.0", token());
  const char *text = extends ? invocation.operands[2] : invocation.options[OPTION_DELAY];
  if (text != NULL) {
    if (!parse_duration(text, extends ? 1 : 0, LONGEST_DELAY, &period)) become_node();
    request.values[extends ? FIELD_DURATION : FIELD_DELAY] = text_of("%" PRId64, period);
  }
  for (int i = 0; i < count; i++)
    if (!is_lease(leases[i]) && !is_repeated(leases, i)) add_missing(&missing, leases[i]);
  if (open_line(&line, true, IS_HELD) != ANSWERED) return report(has(OPTION_QUIET));
  for (int i = 0; i < count; i++) {
    struct reader answer;
    if (!is_lease(leases[i]) || is_repeated(leases, i)) continue;
    request.values[FIELD_LEASE] = leases[i];
    request.values[FIELD_SEQ] = request.values[FIELD_ACKED] = text_of("%d", i);
    if (ask(&line, &request, &answer) == ANSWERED) {
      settled++;
      continue;
    }
    if (failure.code == CODE_NOLEASE) add_missing(&missing, leases[i]);
    else if (worst.status == 0) worst = failure;
    /* Nobody is left to be asked. */
    if (line.connection.fd == -1 || failure.code == CODE_UNKNOWN) break;
  }
  if (worst.status == 0 && missing.length == 0) return 0;
  add(&missing, "", 1);
  fail(CODE_NOLEASE, text_of("%s%s", TEXT_NO_LEASE, missing.start), NULL);
  if (worst.status != 0) {
    failure = worst;
    if (settled > 0) failure.text = text_of("%s; %d%s", worst.text == NULL ? "" : worst.text, settled, TEXT_ARE_SETTLED);
  }
  return report(has(OPTION_QUIET));
}

/* One that is named twice counts once. */
static bool is_repeated(char *const *words, int at) {
  for (int i = 0; i < at; i++)
    if (strcmp(words[i], words[at]) == 0) return true;
  return false;
}

static void add_missing(struct bytes *missing, const char *lease) {
  add_text(missing, missing->length == 0 ? "'" : ", '");
  add_text(missing, lease);
  add_text(missing, "'");
}
