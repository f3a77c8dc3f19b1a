#!/bin/sh
# The README's first command: a producer and two consumers, through a daemon of their own.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/bin:$PATH
MQ_HOME=$(mktemp -d)
export MQ_HOME
trap 'mq stop; rm -rf "$MQ_HOME"' EXIT

echo '$ seq 6 | mq put numbers'
seq 6 | mq put numbers
echo '$ mq ls'
mq ls
echo '$ mq get -c 3 numbers & mq get -c 3 numbers & wait'
mq get -c 3 numbers | sed 's/^/one: /' &
mq get -c 3 numbers | sed 's/^/two: /' &
wait
echo '$ seq 1000000 >sent; mq put big <sent & mq get -c 1000000 big | cmp - sent'
seq 1000000 >"$MQ_HOME/sent"
mq put big <"$MQ_HOME/sent" &
mq get -c 1000000 big | cmp - "$MQ_HOME/sent"
wait
echo 'A million messages went through a queue, in order. mq is at bin/mq: PATH=$PWD/bin:$PATH'
