/* Requests as bytes, by the rows of the table. */
#define FRONT_REQUESTS
#include "front.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_word(struct bytes *to, const char *word, int64_t *count);

bool waits(int name) {
  return REQUESTS[name].waits;
}

/* Whether it takes effect once, however often it is sent: then it has a number. */
bool happens_once(int name) {
  return REQUESTS[name].once;
}

/* Words stand for what is set; those of messages that are packed already come last. */
void encode_request(const struct request *request, struct bytes *to) {
  struct bytes words = {0};
  int64_t count = request->messages == NULL ? 0 : request->count;
  for (const struct word_row *row = REQUESTS[request->name].words; row->word != NULL || row->field != FIELD_NONE; row++) {
    char *const *each = row->field == FIELD_FURTHER ? request->further : NULL;
    for (; each != NULL && *each != NULL; each++) {
      add_word(&words, row->word, &count);
      add_word(&words, *each, &count);
    }
    const char *value = request->values[row->field];
    if (row->field != FIELD_NONE && value == NULL) continue;
    if (row->word != NULL) add_word(&words, row->word, &count);
    if (row->field != FIELD_NONE && row->field != FIELD_NOWAIT) add_word(&words, value, &count);
  }
  char head[32];
  snprintf(head, sizeof head, "*%" PRId64 "\r\n", count);
  add_text(to, head);
  add(to, words.start, words.length);
  if (request->messages != NULL) add(to, request->messages->start, request->messages->length);
  free(words.start);
}

static void add_word(struct bytes *to, const char *word, int64_t *count) {
  char head[32];
  snprintf(head, sizeof head, "$%zu\r\n", strlen(word));
  add_text(to, head);
  add_text(to, word);
  add_text(to, "\r\n");
  *count += 1;
}
