import { describe, expect } from 'vitest';
import { type Mq, type Result, test } from './mq.ts';

/**
 * The statements of Python's documentation on multiprocessing.Pipe and Connection
 * (https://docs.python.org/3/library/multiprocessing.html), as a shell does it: the sentence is the title.
 * conn1 is written to by descriptor 3 and read from by 4, conn2 by 5 and 6; a message is a line.
 */
const ENDS = `
cd "$MQ_HOME"; mkfifo 3 4 5 6
mq pipe p <3 >4 & conn1=$!
mq pipe p <5 >6 & conn2=$!
exec 3>3 4<4 5>5 6<6
trap '' PIPE
`;

const ONE_WAY = `
cd "$MQ_HOME"; mkfifo 4 5
mq pipe p --recv >4 & conn1=$!
mq pipe p --send <5 & conn2=$!
exec 4<4 5>5
`;

/** The lines that the script prints. */
async function lines(mq: Mq, script: string): Promise<string[]> {
  const result: Result = await mq.sh(script);
  expect(result.err).toBe('');
  return result.out.trimEnd().split('\n');
}

describe('multiprocessing.Pipe', () => {
  test('"Returns a pair (conn1, conn2) of Connection objects representing the ends of a pipe."', async ({
    mq,
  }) => {
    expect(
      await lines(
        mq,
        `${ENDS} echo >&3; read -r <&6; mq ls --json | jq -c '[.kind, .state, (.ends | length)]'`,
      ),
    ).toEqual(['["pipe","open",2]']);
  });

  test('"If duplex is True (the default) then the pipe is bidirectional."', async ({ mq }) => {
    const script = `${ENDS} echo there >&3; read -r x <&6; echo "$x"; echo back >&5; read -r x <&4; echo "$x"`;
    expect(await lines(mq, script)).toEqual(['there', 'back']);
  });

  test('"If duplex is False then the pipe is unidirectional: conn1 can only be used for receiving messages and conn2 can only be used for sending messages."', async ({
    mq,
  }) => {
    const script = `${ONE_WAY} echo hello >&5; read -r x <&4; echo "$x"; mq ls --json | jq -r '.ends[].direction'`;
    expect((await lines(mq, script)).sort()).toEqual(['hello', 'recv', 'send']);
  });

  test('"Of course there is no risk of corruption from processes using different ends of the pipe at the same time."', async ({
    mq,
  }) => {
    const script = `${ENDS}
      seq 50000 >&3 & seq 50000 >&5 &
      head -n 50000 <&4 | cmp - <(seq 50000) && head -n 50000 <&6 | cmp - <(seq 50000) && echo same`;
    expect(await lines(mq, script)).toEqual(['same']);
  });

  test("the example: f(conn) sends [42, None, 'hello'] and closes; the parent prints what it receives, and joins", async ({
    mq,
  }) => {
    const script = `
      f() { echo "[42, null, 'hello']"; }
      mq pipe conn --send -- bash -c "$(declare -f f); f" & p=$!
      mq pipe conn --recv
      wait $p; echo $?`;
    expect(await lines(mq, script)).toEqual(["[42, null, 'hello']", '0']);
  });
});

describe('Connection', () => {
  test('send(): "Send an object to the other end of the connection which should be read using recv()."', async ({
    mq,
  }) => {
    const script = `${ENDS} echo '[1, "hello", null]' >&3; read -r x <&6; echo "$x"`;
    expect(await lines(mq, script)).toEqual(['[1, "hello", null]']);
  });

  test('recv(): "Blocks until there is something to receive."', async ({ mq }) => {
    // It is unblocked only when it is seen to be waiting.
    const script = `${ENDS}
      { read -r x <&6; echo "$x"; } & reader=$!
      until grep -q 'State:.S' /proc/$reader/status; do :; done
      read -r -t 0 <&6; echo $?
      echo hello >&3
      wait $reader`;
    expect(await lines(mq, script)).toEqual(['1', 'hello']);
  });

  test('recv(): "Raises EOFError if there is nothing left to receive and the other end was closed."', async ({
    mq,
  }) => {
    const script = `${ENDS} echo last >&3; exec 3>&-; read -r x <&6; echo "$x"; read -r x <&6; echo $?
      exec 5>&-; cat <&4; wait $conn1; echo $?; wait $conn2; echo $?`;
    expect(await lines(mq, script)).toEqual(['last', '1', '0', '0']);
  });

  test('recv() where the other end was killed: EOFError, and the status says that it was not closed', async ({
    mq,
  }) => {
    const { out, err } = await mq.sh(
      `${ENDS} echo >&3; read -r <&6; kill -9 $conn1; read -r x <&6; echo $?; wait $conn2; echo $?`,
    );
    expect(out).toBe('1\n4\n');
    expect(err).toContain('mq: pipe p: the other end went away\n');
  });

  test('send() to an end that was closed: BrokenPipeError', async ({ mq }) => {
    const { out, err } = await mq.sh(`${ENDS}
      exec 5>&- 6<&-
      echo lost >&3
      wait $conn1; echo $?
      echo more >&3 2>/dev/null; echo $?`);
    expect(out).toBe('4\n1\n');
    expect(err).toContain('mq: pipe p: the other end went away\n');
  });

  test('close(): "Close the connection."', async ({ mq }) => {
    const script = `${ENDS} exec 3>&- 5>&-; cat <&4; cat <&6; wait $conn1 $conn2; mq ls --json; echo none`;
    expect(await lines(mq, script)).toEqual(['none']);
  });

  test('poll(): "Return whether there is any data available to be read."', async ({ mq }) => {
    const script = `${ENDS}
      read -t 0 <&6; echo $?
      echo hello >&3
      until read -t 0 <&6; do :; done
      read -r x <&6; echo "$x"`;
    expect(await lines(mq, script)).toEqual(['1', 'hello']);
  });

  test('poll(timeout): "this specifies the maximum time in seconds to block"', async ({ mq }) => {
    const script = `${ENDS} read -r -t 0.1 x <&6; echo $(( $? > 128 ))`;
    expect(await lines(mq, script)).toEqual(['1']);
  });

  test('send_bytes() and recv_bytes(): any bytes, as many as were sent', async ({ mq }) => {
    const script = `${ENDS} printf 'thank you' >&5; head -c 9 <&4; echo
      printf '\\0\\377\\n\\0' >&3; head -c 4 <&6 | od -An -tx1 | tr -d ' '`;
    expect(await lines(mq, script)).toEqual(['thank you', '00ff0a00']);
  });
});
