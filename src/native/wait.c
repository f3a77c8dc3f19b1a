/* The clock, signals, and waiting for either. */
#include "front.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Signals that end a command in good order. */
static const int CAUGHT[] = {SIGINT, SIGTERM, SIGHUP};

static volatile sig_atomic_t first, again;
static sigset_t caught_mask;
static bool is_catching;
static int64_t patience_end = FOREVER;
static void (*say_last_word)(void);
int64_t begun;

static void take_signal(int number);

/* Milliseconds on a clock that nobody sets, and that counts suspensions of the machine. */
int64_t now(void) {
  struct timespec time;
  if (clock_gettime(CLOCK_BOOTTIME, &time) != 0) clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/*
 * From now on signals are noticed while something is waited for, and only then. The second one, or the end of patience after
 * the first, ends the process. Ignored signals stay ignored.
 */
void catch_signals(void (*last_word)(void)) {
  say_last_word = last_word;
  is_catching = true;
  sigemptyset(&caught_mask);
  for (size_t i = 0; i < sizeof CAUGHT / sizeof CAUGHT[0]; i++) {
    struct sigaction action;
    if (sigaction(CAUGHT[i], NULL, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    memset(&action, 0, sizeof action);
    action.sa_handler = take_signal;
    sigaddset(&caught_mask, CAUGHT[i]);
    sigaction(CAUGHT[i], &action, NULL);
  }
  sigprocmask(SIG_BLOCK, &caught_mask, NULL);
}

static void take_signal(int number) {
  if (first == 0) first = number;
  else if (again == 0) again = number;
}

/* Signals have their former effect again; one that waits has it now. */
void let_signals_go(void) {
  if (caught() != 0) die_by(first);
  for (size_t i = 0; is_catching && i < sizeof CAUGHT / sizeof CAUGHT[0]; i++)
    if (sigismember(&caught_mask, CAUGHT[i]) == 1) signal(CAUGHT[i], SIG_DFL);
  sigprocmask(SIG_SETMASK, &given_mask, NULL);
}

/* The signal that is to end the command, 0: none. */
int caught(void) {
  if (!is_catching) return 0;
  /* One that came while nothing was waited for. */
  sigset_t waiting;
  if (first == 0 && sigpending(&waiting) == 0) {
    for (size_t i = 0; i < sizeof CAUGHT / sizeof CAUGHT[0]; i++)
      if (sigismember(&waiting, CAUGHT[i]) == 1 && sigismember(&given_mask, CAUGHT[i]) != 1) wait_for(NULL, 0, 0);
  }
  return first;
}

/*
 * Waits until something can be done with one of the descriptors, until that time on the clock of now(), or for a signal.
 * Answers how many there are.
 */
int wait_for(struct pollfd *polled, nfds_t count, int64_t until) {
  if (first != 0 && patience_end == FOREVER) patience_end = now() + SIGNAL_PATIENCE;
  int64_t end = until < patience_end ? until : patience_end;
  struct timespec time, *limit = NULL;
  if (end != FOREVER) {
    int64_t left = end - now();
    if (left < 0) left = 0;
    time.tv_sec = (time_t)(left / 1000);
    time.tv_nsec = (long)(left % 1000) * 1000000;
    limit = &time;
  }
  for (nfds_t i = 0; i < count; i++) polled[i].revents = 0;
  int ready = ppoll(polled, count, limit, is_catching ? &given_mask : NULL);
  if (again != 0 || (first != 0 && now() >= patience_end)) {
    if (say_last_word != NULL) say_last_word();
    die_by(first);
  }
  return ready < 0 ? 0 : ready;
}

void pause_for(int64_t milliseconds) {
  wait_for(NULL, 0, now() + milliseconds);
}

/* Truly by the signal, so that a shell's loop ends too. */
_Noreturn void die_by(int number) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  sigaction(number, &action, NULL);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, number);
  raise(number);
  sigprocmask(SIG_UNBLOCK, &mask, NULL);
  _exit(128 + number);
}
