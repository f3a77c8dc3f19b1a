/*
 * The starter of commands. For a command line that runs a COMMAND (`mq work`, `mq pipe`), the front stays as the process that
 * the user called, in the foreground and with all that it was given: signals, descriptors, limits, environment. Its child
 * becomes Node, in a session of its own, decides what is done, and asks over a socket for commands to be started (start.c).
 * Signals go on to Node, whose end is the front's end. If either dies, the other notices by the end of the socket.
 */
#define FRONT_COMMANDS
#include "front.h"
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The number of the socket in Node, which closes the lowest ones on exec. */
enum { SOCKET = 3 };

/* Milliseconds that a stop waits until Node has been told. */
enum { STOP_PATIENCE = 100 };

static int signals;
static pid_t node;
static int node_status = -1;

static void become_child(int end);
static sigset_t watch_signals(void);
static _Noreturn void serve(void);
static void take_signals(void);
static void stop(void);
static void reap(void);
static _Noreturn void end_as_node(void);

/* Whether the command line runs a COMMAND. The rest of it is for Node to judge. */
bool runs_command(int count, char **words) {
  int at = 1;
  while (at < count && words[at][0] == '-' && strcmp(words[at], "--") != 0) at++;
  bool runs = false;
  for (size_t i = 0; at < count && i < sizeof RUNNING / sizeof RUNNING[0]; i++) runs |= strcmp(words[at], RUNNING[i]) == 0;
  while (runs && at < count && strcmp(words[at], "--") != 0) at++;
  return runs && at + 1 < count;
}

/* Where there can be no starter, Node does without. */
_Noreturn void become_starter(int count, char **words) {
  int ends[2];
  struct sigaction by_default, given;
  memset(&by_default, 0, sizeof by_default);
  by_default.sa_handler = SIG_DFL;
  restore_environment();
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) become_node();
  /* A process that ignores it is not told of a child's end. */
  sigaction(SIGCHLD, &by_default, &given);
  sigset_t watched = watch_signals();
  sigprocmask(SIG_BLOCK, &watched, NULL);
  signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  node = signals == -1 ? -1 : fork();
  if (node == 0 || node == -1) sigaction(SIGCHLD, &given, NULL);
  if (node == 0) become_child(ends[1]);
  close(ends[1]);
  if (node == -1) {
    close(ends[0]);
    if (signals != -1) close(signals);
    become_node();
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  serve_node(ends[0]);
  prepare_starts(count, words, given.sa_handler == SIG_IGN);
  serve();
}

/* Node holds nothing of what the user gave to commands: a lock, a pipe. */
static void become_child(int end) {
  dup2(end, SOCKET);
#ifdef SYS_close_range
  if (syscall(SYS_close_range, SOCKET + 1, ~0U, 0) != 0)
#endif
  {
    struct rlimit limit = {0, 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = SOCKET + 1; fd < 65536 && (rlim_t)fd < limit.rlim_cur; fd++) close(fd);
  }
  /* Ctrl-Z and Ctrl-C reach the front only. */
  setsid();
  give_starter(SOCKET);
  become_node();
}

/* Signals that are ignored or blocked stay so, for Node too. */
static sigset_t watch_signals(void) {
  static const int WATCHED[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH};
  sigset_t watched;
  sigemptyset(&watched);
  sigaddset(&watched, SIGCHLD);
  for (size_t i = 0; i < sizeof WATCHED / sizeof WATCHED[0]; i++) {
    struct sigaction action;
    if (sigaction(WATCHED[i], NULL, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    if (sigismember(&given_mask, WATCHED[i]) == 0) sigaddset(&watched, WATCHED[i]);
  }
  return watched;
}

static _Noreturn void serve(void) {
  for (;;) {
    struct pollfd polled[2] = {polled_node(), {signals, POLLIN, 0}};
    if (poll(polled, 2, -1) < 0) continue;
    if (polled[1].revents != 0) take_signals();
    if (node_status != -1) end_as_node();
    if ((polled[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) take_requests();
    send_answers();
  }
}

static void take_signals(void) {
  struct signalfd_siginfo each;
  bool has_ended = false, is_stopped = false;
  while (read(signals, &each, sizeof each) == (ssize_t)sizeof each) {
    if (each.ssi_signo == SIGCHLD) has_ended = true;
    else if (each.ssi_signo == SIGTSTP) is_stopped = true;
    else if (each.ssi_signo != SIGINT || !terminal_is_given()) kill(node, (int)each.ssi_signo);
  }
  if (has_ended) reap();
  if (is_stopped && node_status == -1) stop();
}

/* Commands in sessions of their own would not be stopped by what a terminal sends. */
static void stop(void) {
  signal_sessions(SIGSTOP);
  answer(ANSWER_STOPPED);
  if (!send_answers()) {
    struct pollfd polled = polled_node();
    polled.events = POLLOUT;
    poll(&polled, 1, STOP_PATIENCE);
    send_answers();
  }
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTSTP);
  raise(SIGTSTP);
  sigprocmask(SIG_UNBLOCK, &mask, NULL);
  /* Here it goes on. */
  sigprocmask(SIG_BLOCK, &mask, NULL);
  signal_sessions(SIGCONT);
  answer(ANSWER_CONTINUED);
}

static void reap(void) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid == node) node_status = status;
    else end_command(pid, status);
  }
}

static _Noreturn void end_as_node(void) {
  if (WIFSIGNALED(node_status)) die_by(WTERMSIG(node_status));
  _exit(WEXITSTATUS(node_status));
}
