/*
 * The environment to the byte. A shell changes it: dash drops what is no name of its own, such as functions that bash has
 * exported, and sets PWD. So bin/mq asks the front, run as its child, for the difference between what the shell was given and
 * what its children get, and hands it to the front in MQ_CHANGED: for each variable a sign, `+` for one that is missing, and
 * NAME=VALUE in hexadecimal digits.
 */
#include "front.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANGED "MQ_CHANGED="

/* A longer one would be no argument of execve(2). */
enum { LONGEST = 100 * 1024 };

static int by_bytes(const void *one, const void *other);
static void add_change(struct bytes *to, char sign, const char *variable);
static size_t without(char **variables, size_t count, const char *variable, bool by_name);
static char *decoded(const char *digits, size_t length);

/* Prints the difference, for the shell that is the parent. */
int print_changes(void) {
  struct bytes given = {0}, changes = {0};
  char *path = text_of("/proc/%ld/environ", (long)getppid());
  int file = open(path, O_RDONLY | O_CLOEXEC);
  free(path);
  if (file == -1) return 0;
  for (ssize_t size = 1; size > 0;) {
    make_room(&given, 64 * 1024);
    size = read(file, given.start + given.length, given.room - given.length - 1);
    if (size > 0) given.length += (size_t)size;
  }
  close(file);
  given.start[given.length] = '\0';
  size_t own_count = 0, given_count = 0;
  while (environ[own_count] != NULL) own_count++;
  for (size_t i = 0; i < given.length; i++) given_count += given.start[i] == '\0';
  char **own = calloc(own_count + 1, sizeof *own), **theirs = calloc(given_count + 1, sizeof *theirs);
  if (own == NULL || theirs == NULL) out_of_memory();
  memcpy(own, environ, own_count * sizeof *own);
  char *next = given.start;
  for (size_t i = 0; i < given_count; i++, next += strlen(next) + 1) theirs[i] = next;
  qsort(own, own_count, sizeof *own, by_bytes);
  qsort(theirs, given_count, sizeof *theirs, by_bytes);
  for (size_t i = 0, j = 0; i < own_count || j < given_count;) {
    int order = i == own_count ? 1 : j == given_count ? -1 : strcmp(own[i], theirs[j]);
    if (order > 0) add_change(&changes, '+', theirs[j]);
    if (order < 0) add_change(&changes, '-', own[i]);
    if (order >= 0) j++;
    if (order <= 0) i++;
  }
  free(own);
  free(theirs);
  free(given.start);
  bool is_printed = changes.length > LONGEST || write(STDOUT_FILENO, changes.start, changes.length) == (ssize_t)changes.length;
  free(changes.start);
  return is_printed ? 0 : 1;
}

/* Makes the environment again what it was before the shell. */
void restore_environment(void) {
  const char *changes = getenv("MQ_CHANGED");
  if (changes == NULL) return;
  size_t count = 0, kept = 0, more = 0;
  while (environ[count] != NULL) count++;
  for (const char *at = changes; *at != '\0'; at++) more += *at == '+';
  char **restored = calloc(count + more + 1, sizeof *restored);
  if (restored == NULL) out_of_memory();
  for (size_t i = 0; i < count; i++)
    if (!is_own(environ[i])) restored[kept++] = environ[i];
  while (*changes == '+' || *changes == '-') {
    size_t length = strspn(changes + 1, "0123456789abcdef");
    char *variable = decoded(changes + 1, length);
    kept = without(restored, kept, variable, *changes == '+');
    if (*changes == '+') restored[kept++] = variable;
    else free(variable);
    changes += 1 + length;
  }
  restored[kept] = NULL;
  environ = restored;
}

/* Whether a variable is of bin/mq and the front, and of nobody else. */
bool is_own(const char *variable) {
  return strncmp(variable, CHANGED, strlen(CHANGED)) == 0 || strncmp(variable, GIVEN, strlen(GIVEN)) == 0;
}

/* Leaves out what is equal, or has the same name; answers how many are left. */
static size_t without(char **variables, size_t count, const char *variable, bool by_name) {
  size_t kept = 0, length = by_name ? strcspn(variable, "=") + 1 : strlen(variable) + 1;
  for (size_t i = 0; i < count; i++)
    if (strncmp(variables[i], variable, length) != 0) variables[kept++] = variables[i];
  return kept;
}

static int by_bytes(const void *one, const void *other) {
  return strcmp(*(char *const *)one, *(char *const *)other);
}

static void add_change(struct bytes *to, char sign, const char *variable) {
  static const char DIGITS[] = "0123456789abcdef";
  if (is_own(variable) || to->length > LONGEST) return;
  add(to, &sign, 1);
  for (const char *at = variable; *at != '\0'; at++) {
    unsigned char byte = (unsigned char)*at;
    add(to, &DIGITS[byte >> 4], 1);
    add(to, &DIGITS[byte & 15], 1);
  }
}

static char *decoded(const char *digits, size_t length) {
  char *text = calloc(length / 2 + 1, 1);
  if (text == NULL) out_of_memory();
  for (size_t i = 0; i + 1 < length; i += 2) {
    unsigned byte = 0;
    sscanf(digits + i, "%2x", &byte);
    text[i / 2] = (char)byte;
  }
  return text;
}
