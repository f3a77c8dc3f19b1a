/* Fields of a frame, in the order of bytes of the machine. */
#include "front.h"
#include <string.h>

uint64_t take_number(struct fields *fields, size_t size) {
  uint8_t byte = 0;
  uint32_t word = 0;
  uint64_t number = 0;
  const char *from = take_bytes(fields, size);
  if (from == NULL) return 0;
  if (size == sizeof byte) number = *(const uint8_t *)memcpy(&byte, from, size);
  else if (size == sizeof word) number = *(const uint32_t *)memcpy(&word, from, size);
  else memcpy(&number, from, sizeof number);
  return number;
}

const char *take_bytes(struct fields *fields, size_t length) {
  const char *from = fields->at;
  if (from == NULL || length > (size_t)(fields->end - from)) from = NULL;
  fields->at = from == NULL ? NULL : from + length;
  return from;
}

/* A text that ends in NUL. */
const char *take_text(struct fields *fields) {
  const char *from = fields->at, *end = from == NULL ? NULL : memchr(from, '\0', (size_t)(fields->end - from));
  fields->at = end == NULL ? NULL : end + 1;
  return end == NULL ? NULL : from;
}
