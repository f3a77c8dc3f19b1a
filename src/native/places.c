/* The places of the daemon, and whether they can be trusted, by the rules of paths.ts. Unusual cases are for Node. */
#include "front.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct places places;

static bool set_absolute(char *into, const char *path, const char *below);
static bool is_own_folder(const struct stat *folder);
static bool is_derived(const char *socket);

bool find_places(void) {
  const char *folder = getenv("MQ_HOME"), *home = getenv("HOME"), *socket = getenv("MQ_SOCKET");
  bool is_set = folder != NULL && folder[0] != '\0';
  if (!is_set && (home == NULL || home[0] == '\0')) return false;
  if (!set_absolute(places.home, is_set ? folder : home, is_set ? "" : "/.local/state/mq")) return false;
  if (!set_absolute(places.log, places.home, "/mq.log")) return false;
  bool is_named = socket != NULL && socket[0] != '\0';
  if (!set_absolute(places.socket, is_named ? socket : places.home, is_named ? "" : "/mq.sock")) return false;
  /* A longer one has another name. */
  return strlen(places.socket) <= (size_t)LONGEST_SOCKET_PATH;
}

enum access check_access(void) {
  struct stat found;
  if (stat(places.home, &found) != 0) return errno == ENOENT ? ACCESS_ABSENT : ACCESS_DOUBT;
  if (!is_own_folder(&found)) return ACCESS_DOUBT;
  if (is_derived(places.socket)) {
    char folder[PATH_MAX];
    memcpy(folder, places.socket, sizeof folder);
    *strrchr(folder, '/') = '\0';
    if (lstat(folder, &found) != 0) return errno == ENOENT ? ACCESS_ABSENT : ACCESS_DOUBT;
    if (!is_own_folder(&found)) return ACCESS_DOUBT;
  }
  if (lstat(places.socket, &found) != 0) return errno == ENOENT ? ACCESS_ABSENT : ACCESS_DOUBT;
  return found.st_uid == getuid() ? ACCESS_READY : ACCESS_DOUBT;
}

/* Without `.`, `..` and empty parts, as path.resolve() of Node does it. */
static bool set_absolute(char *into, const char *path, const char *below) {
  char *whole = text_of("%s%s", path, below);
  size_t length = 0;
  /* Node would look in another place, with U+FFFD in its name. */
  if (whole[0] != '/' || strlen(whole) >= PATH_MAX || !is_utf8(whole, strlen(whole))) return false;
  char *rest = whole;
  for (char *part; (part = strtok_r(rest, "/", &rest)) != NULL;) {
    if (strcmp(part, ".") == 0) continue;
    if (strcmp(part, "..") == 0) {
      while (length > 0 && into[--length] != '/') continue;
      continue;
    }
    length += (size_t)snprintf(into + length, PATH_MAX - length, "/%s", part);
  }
  if (length == 0) into[length++] = '/';
  into[length] = '\0';
  free(whole);
  return true;
}

static bool is_own_folder(const struct stat *folder) {
  return S_ISDIR(folder->st_mode) && folder->st_uid == getuid() && (folder->st_mode & 077) == 0;
}

static bool is_derived(const char *socket) {
  char *folder = text_of("/tmp/mq-%u/", (unsigned)getuid());
  size_t length = strlen(folder);
  bool is_there = strncmp(socket, folder, length) == 0 && strchr(socket + length, '/') == NULL;
  free(folder);
  return is_there;
}
