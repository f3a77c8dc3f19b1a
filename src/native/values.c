/* Texts of the command line. Node judges texts that are refused here. */
#define FRONT_UNITS
#include "front.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Longer ones are no numbers that a person writes. */
enum { LONGEST_NUMBER = 32, LONGEST_INTEGER = 16 };

static bool parse_number(const char **at, double *into);
static int unit_at(const char **at);
static size_t character_at(const unsigned char *at, const unsigned char *end);

bool is_name(const char *text) {
  size_t length = strlen(text);
  if (length < 1 || length > (size_t)LONGEST_NAME || strchr(MQ_NAME_FIRST, text[0]) == NULL) return false;
  return strspn(text, MQ_NAME_REST) == length;
}

bool is_lease(const char *text) {
  size_t first = strspn(text, MQ_LEASE_FIRST);
  if (first == 0 || text[first] != '.' || text[first + 1] == '\0') return false;
  return text[first + 1 + strspn(text + first + 1, MQ_LEASE_REST)] == '\0';
}

bool parse_integer(const char *text, int64_t least, int64_t most, int64_t *into) {
  const char *digits = text + (text[0] == '-');
  size_t length = strlen(digits);
  if (length < 1 || length > LONGEST_INTEGER || strspn(digits, "0123456789") != length) return false;
  *into = strtoll(text, NULL, 10);
  return *into >= least && *into <= most;
}

/* In milliseconds, as duration.ts reads it: one number, or numbers with units, the largest first. */
bool parse_duration(const char *text, int64_t least, int64_t most, int64_t *into) {
  const int units = (int)(sizeof UNITS / sizeof UNITS[0]);
  const char *at = text;
  double sum = 0, number;
  int last = -1;
  while (*at != '\0' || at == text) {
    if (!parse_number(&at, &number)) return false;
    if (*at == '\0' && last == -1) {
      sum = number * 1000;
      break;
    }
    int unit = unit_at(&at);
    if (unit <= last || unit >= units) return false;
    sum += number * UNITS[unit].milliseconds;
    last = unit;
  }
  if (!(sum <= (double)most)) return false;
  /* Fractions are rounded up, but not those that come of binary numbers. */
  char rounded[64];
  snprintf(rounded, sizeof rounded, "%.3f", sum);
  char *point = strchr(rounded, '.');
  if (point == NULL) return false;
  *into = strtoll(rounded, NULL, 10) + (strspn(point + 1, "0") == 3 ? 0 : 1);
  return *into >= least && *into <= most;
}

static bool parse_number(const char **at, double *into) {
  char number[LONGEST_NUMBER + 1];
  size_t length = strspn(*at, "0123456789");
  if ((*at)[length] == '.') {
    size_t fraction = strspn(*at + length + 1, "0123456789");
    if (fraction > 0) length += 1 + fraction;
  }
  if (length == 0 || length > LONGEST_NUMBER) return false;
  memcpy(number, *at, length);
  number[length] = '\0';
  *into = strtod(number, NULL);
  *at += length;
  return true;
}

static int unit_at(const char **at) {
  size_t length = strspn(*at, "abcdefghijklmnopqrstuvwxyz");
  for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
    if (strlen(UNITS[i].name) != length || strncmp(UNITS[i].name, *at, length) != 0) continue;
    *at += length;
    return (int)i;
  }
  return -1;
}

bool is_utf8(const char *text, size_t length) {
  const unsigned char *at = (const unsigned char *)text, *end = at + length;
  while (at < end) {
    size_t size = character_at(at, end);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

/* A text as Node decodes it, and with what a terminal would obey written as JSON writes it: see `visible`. */
char *readable(const char *text, size_t length) {
  const unsigned char *at = (const unsigned char *)text, *end = at + length;
  struct bytes shown = {0};
  char escaped[8];
  while (at < end) {
    size_t size = character_at(at, end);
    unsigned control = size == 1 ? at[0] : size == 2 && at[0] == 0xc2 ? at[1] : 0x20;
    if (size == 0) {
      /* As much as could have begun a character is one that is replaced. */
      size = 1;
      for (size_t more = 1; at + more < end && more < 4 && (at[more] & 0xc0) == 0x80; more++) {
        unsigned char whole[4] = {at[0], at[1], 0x80, 0x80};
        if (more > 1) whole[2] = at[2];
        size_t wanted = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
        if (more + 1 >= wanted || character_at(whole, whole + wanted) == 0) break;
        size = more + 1;
      }
      add(&shown, "\xef\xbf\xbd", 3);
    } else if (control < 0x20 || (control >= 0x7f && control < 0xa0)) {
      snprintf(escaped, sizeof escaped, "\\u%04x", control);
      add_text(&shown, escaped);
    } else {
      add(&shown, at, size);
    }
    at += size;
  }
  add(&shown, "", 1);
  return shown.start;
}

/* How many bytes the character has that begins here; 0: none does (Unicode, table 3-7). */
static size_t character_at(const unsigned char *at, const unsigned char *end) {
  unsigned char first = at[0], low = 0x80, high = 0xbf;
  size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (size < 2) return size;
  if ((size_t)(end - at) < size) return 0;
  if (first == 0xe0) low = 0xa0;
  if (first == 0xed) high = 0x9f;
  if (first == 0xf0) low = 0x90;
  if (first == 0xf4) high = 0x8f;
  if (at[1] < low || at[1] > high) return 0;
  for (size_t i = 2; i < size; i++)
    if ((at[i] & 0xc0) != 0x80) return 0;
  return size;
}

/* Room for so many more bytes. */
void make_room(struct bytes *in, size_t more) {
  if (in->start != NULL && more <= in->room - in->length) return;
  size_t room = (in->length + more) * 2;
  char *start = realloc(in->start, room > 0 ? room : 1);
  if (start == NULL) out_of_memory();
  in->start = start;
  in->room = room;
}

/* Nothing is in it any more, and a large one gives its memory back. */
void release(struct bytes *bytes, size_t most) {
  bytes->length = 0;
  if (bytes->room <= most) return;
  free(bytes->start);
  *bytes = (struct bytes){0};
}

_Noreturn void out_of_memory(void) {
  note("there is no memory left");
  _exit(70);
}

void add(struct bytes *to, const void *from, size_t length) {
  make_room(to, length);
  if (length > 0) memcpy(to->start + to->length, from, length);
  to->length += length;
}

void add_text(struct bytes *to, const char *text) {
  add(to, text, strlen(text));
}

char *text_of(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = NULL;
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  return length < 0 ? strdup("") : text;
}
