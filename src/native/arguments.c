/* The command line, by the rules of parse.ts; whatever is not plain is for Node. */
#define FRONT_COMMANDS
#include "front.h"
#include <stdlib.h>
#include <string.h>

static bool parse_word(char **words, int *at, struct invocation *into);
static bool parse_letters(char **words, int *at, struct invocation *into);
static bool set_option(const struct option_row *option, const char *attached, char **words, int *at,
                       struct invocation *into);
static bool is_operand(const char *word);

/* Answers whether it is a command line of the front's. */
bool parse_arguments(int count, char **words, struct invocation *into) {
  int at = 1;
  for (; at < count && words[at][0] == '-'; at++) {
    if (strcmp(words[at], "-q") == 0 || strcmp(words[at], "--quiet") == 0) into->options[OPTION_QUIET] = "";
    else if (strcmp(words[at], "--no-start") == 0) into->options[OPTION_NO_START] = "";
    else return false;
  }
  if (at >= count) return false;
  for (int i = 0; i < COMMAND_TOTAL; i++) {
    if (strcmp(COMMANDS[i].name, words[at]) != 0) continue;
    into->command = &COMMANDS[i];
    into->name = i;
  }
  if (into->command == NULL) return false;
  into->operands = calloc((size_t)count, sizeof *into->operands);
  if (into->operands == NULL) return false;
  for (at++; at < count && strcmp(words[at], "--") != 0; at++) {
    if (is_operand(words[at])) into->operands[into->count++] = words[at];
    else if (!parse_word(words, &at, into)) return false;
  }
  for (at++; at < count; at++) into->operands[into->count++] = words[at];
  return into->count >= into->command->least && into->count <= into->command->most;
}

static bool parse_word(char **words, int *at, struct invocation *into) {
  const char *word = words[*at];
  if (word[1] != '-') return parse_letters(words, at, into);
  const char *value = strchr(word, '=');
  size_t length = value == NULL ? strlen(word) : (size_t)(value - word);
  for (const struct option_row *option = into->command->options; option->name != NULL; option++) {
    if (strlen(option->name) == length - 2 && strncmp(option->name, word + 2, length - 2) == 0)
      return set_option(option, value == NULL ? NULL : value + 1, words, at, into);
  }
  return false;
}

/* Options of one letter, joined. */
static bool parse_letters(char **words, int *at, struct invocation *into) {
  for (const char *letter = words[*at] + 1; *letter != '\0'; letter++) {
    const struct option_row *option = into->command->options;
    while (option->name != NULL && option->letter != *letter) option++;
    if (option->name == NULL) return false;
    const char *rest = letter[1] == '\0' ? NULL : letter + 1;
    if (option->takes_value) return set_option(option, rest, words, at, into);
    if (!set_option(option, NULL, words, at, into)) return false;
  }
  return true;
}

/* The last one counts. */
static bool set_option(const struct option_row *option, const char *attached, char **words, int *at,
                       struct invocation *into) {
  if (!option->takes_value && attached != NULL) return false;
  if (option->takes_value && attached == NULL && (attached = words[*at + 1]) == NULL) return false;
  if (option->takes_value && attached == words[*at + 1]) *at += 1;
  into->options[option->option] = option->takes_value ? attached : "";
  return true;
}

/* `-` and negative numbers are operands: digits, or digits around a point; but a row of zeros is options. */
static bool is_operand(const char *word) {
  if (word[0] != '-' || word[1] == '\0') return true;
  const char *number = word + 1;
  size_t whole = strspn(number, "0123456789");
  if (number[whole] == '\0') return strspn(number, "0") != whole;
  if (number[whole] != '.') return false;
  size_t fraction = strspn(number + whole + 1, "0123456789");
  return fraction > 0 && number[whole + 1 + fraction] == '\0';
}
