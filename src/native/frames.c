/*
 * Answers of the daemon. A frame is one value of RESP (mq-protocol(7)): a type, a line, and for bulk strings the bytes that
 * the line counts, for arrays and maps the values. Nothing of it is trusted: a frame has bounds, and only what frame_end has
 * found whole is read.
 */
#include "front.h"
#include <string.h>

/* A line that is a text, and one that is a number. */
enum { LONGEST_TEXT = 64 * 1024, LONGEST_HEADER = 32 };

/* STAT has some fifty. */
enum { MOST_VALUES = 1024 };

/* A message with what is said of it. */
#define LONGEST_FRAME (MOST_MAX_MESSAGE + 64 * 1024)

static enum frame line_end(const char *bytes, size_t length, size_t most, size_t *end);
static bool parse_count(const char *line, const char *end, int64_t *into);

/* Where the frame ends that begins here. */
enum frame frame_end(const char *bytes, size_t length, size_t *end) {
  size_t at = 0;
  int64_t missing = 1, count;
  for (int64_t values = 0; missing > 0; missing--) {
    size_t line;
    if (at == length) return FRAME_PART;
    char type = bytes[at];
    if (type == '\0' || strchr("$=!*~>%+-:_,#(", type) == NULL || ++values > MOST_VALUES) return FRAME_BAD;
    bool is_text = strchr("+-:_,#(", type) != NULL;
    enum frame found = line_end(bytes + at, length - at, is_text ? LONGEST_TEXT : LONGEST_HEADER, &line);
    if (found != FRAME_WHOLE) return found;
    if (!is_text && !parse_count(bytes + at + 1, bytes + at + line - 2, &count)) return FRAME_BAD;
    at += line;
    if (is_text || count < 0) continue;
    if (strchr("$=!", type) != NULL) {
      if (count > LONGEST_FRAME - (int64_t)at) return FRAME_BAD;
      if (length - at < (size_t)count + 2) return FRAME_PART;
      at += (size_t)count + 2;
      if (bytes[at - 2] != '\r' || bytes[at - 1] != '\n') return FRAME_BAD;
    } else {
      if (count > MOST_VALUES) return FRAME_BAD;
      missing += type == '%' ? count * 2 : count;
    }
  }
  *end = at;
  return FRAME_WHOLE;
}

static enum frame line_end(const char *bytes, size_t length, size_t most, size_t *end) {
  const char *found = memchr(bytes, '\n', length < most ? length : most);
  if (found == NULL) return length < most ? FRAME_PART : FRAME_BAD;
  *end = (size_t)(found - bytes) + 1;
  return *end >= 3 && found[-1] == '\r' ? FRAME_WHOLE : FRAME_BAD;
}

/* Without sign and leading zeros, or the -1 of a nil of RESP 2. */
static bool parse_count(const char *line, const char *end, int64_t *into) {
  if (end - line == 2 && line[0] == '-' && line[1] == '1') {
    *into = -1;
    return true;
  }
  if (end == line || end - line > 15 || (line[0] == '0' && end - line > 1)) return false;
  *into = 0;
  for (; line < end; line++) {
    if (*line < '0' || *line > '9') return false;
    *into = *into * 10 + (*line - '0');
  }
  return true;
}

/* '\0' at the end. */
char type_at(const struct reader *reader) {
  return reader->at < reader->end ? *reader->at : '\0';
}

bool read_integer(struct reader *reader, int64_t *into) {
  if (type_at(reader) != ':') return false;
  const char *at = reader->at + 1, *end = memchr(at, '\r', (size_t)(reader->end - at));
  bool is_negative = at < reader->end && *at == '-';
  if (end == NULL || !parse_count(at + is_negative, end, into)) return false;
  if (is_negative) *into = -*into;
  return skip_value(reader);
}

/* How many values an array or a map has that begins here. */
bool read_size(struct reader *reader, char type, int64_t *into) {
  if (type_at(reader) != type) return false;
  const char *at = reader->at + 1, *end = memchr(at, '\r', (size_t)(reader->end - at));
  if (end == NULL || !parse_count(at, end, into) || *into < 0) return false;
  reader->at = end + 2;
  return true;
}

/* A bulk string or a simple string; not nil. */
bool read_bulk(struct reader *reader, const char **bytes, size_t *length) {
  int64_t count;
  char type = type_at(reader);
  if (type != '$' && type != '+') return false;
  const char *at = reader->at + 1, *end = memchr(at, '\r', (size_t)(reader->end - at));
  if (end == NULL) return false;
  if (type == '+') {
    *bytes = at;
    *length = (size_t)(end - at);
  } else {
    if (!parse_count(at, end, &count) || count < 0 || count + 2 > reader->end - (end + 2)) return false;
    *bytes = end + 2;
    *length = (size_t)count;
  }
  return skip_value(reader);
}

bool skip_value(struct reader *reader) {
  size_t end;
  if (frame_end(reader->at, (size_t)(reader->end - reader->at), &end) != FRAME_WHOLE) return false;
  reader->at += end;
  return true;
}

bool find_in_map(struct reader map, const char *key, struct reader *value) {
  int64_t size;
  const char *name;
  size_t length;
  if (!read_size(&map, '%', &size)) return false;
  for (; size > 0; size--) {
    if (!read_bulk(&map, &name, &length)) return false;
    *value = map;
    if (length == strlen(key) && memcmp(name, key, length) == 0) return true;
    if (!skip_value(&map)) return false;
  }
  return false;
}
