/* argv -> one command -> one exit status. */
#include "front.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct invocation invocation;

static bool is_set(const char *name, const char *value);

int main(int count, char **arguments) {
  static int (*const COMMANDS[])(void) = {
    [COMMAND_PUT] = put,    [COMMAND_GET] = get,          [COMMAND_DONE] = settle,   [COMMAND_FAIL] = settle, [COMMAND_EXTEND] = settle,
    [COMMAND_SIZE] = question, [COMMAND_EMPTY] = question, [COMMAND_FULL] = question, [COMMAND_JOIN] = question,
  };
  if (is_set("MQ_CHANGED", "?")) return print_changes();
  begun = now();
  remember_start(arguments);
  /* The next descriptor would get the number of one that is closed. */
  for (int fd = 0; fd < 3; fd++)
    if (fcntl(fd, F_GETFD) == -1) become_node();
  if (is_set("MQ_FRONT", "0")) become_node();
  if (runs_command(count, arguments)) become_starter(count, arguments);
  if (!parse_arguments(count, arguments, &invocation)) become_node();
  if (!is_name(invocation.operands[0]) || !find_places()) become_node();
  if (is_set("MQ_NO_START", "1")) invocation.options[OPTION_NO_START] = "";
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigprocmask(SIG_BLOCK, &pipe, NULL);
  return COMMANDS[invocation.name]();
}

static bool is_set(const char *name, const char *value) {
  const char *found = getenv(name);
  return found != NULL && strcmp(found, value) == 0;
}
