import type { Exit, Invocation } from '../cli/command.ts';
import { waitOf } from '../cli/options.ts';
import type { Report } from '../client/launch.ts';
import { serve } from '../daemon/daemon.ts';
import { log } from '../daemon/log.ts';
import { MqError, textOf } from '../errors.ts';
import { MOST_MAX_MESSAGE, parseInteger } from '../settings.ts';
import { closeInherited, letGo } from '../stdio/descriptors.ts';

/** Bytes of the longest message, unless --max-message says otherwise. */
const MAX_MESSAGE = 64 * 1024 * 1024;

/** Bytes. The limit is also that of the words of requests. */
const LEAST_MAX_MESSAGE = 1024;

/** mq serve: the daemon. It reports its start to a command that started it, over the channel between them. */
export async function run({ options, places }: Invocation): Promise<Exit> {
  // Not by the channel, which process managers written in Node also have.
  const isStarted = process.env['MQ_STARTED'] === '1';
  if (isStarted) closeInherited();
  const idleExit = waitOf(options, 'idle-exit') ?? 0;
  const most = options['max-message'];
  const maxMessage =
    typeof most === 'string'
      ? parseInteger(most, '--max-message', LEAST_MAX_MESSAGE, MOST_MAX_MESSAGE)
      : MAX_MESSAGE;
  process.on('uncaughtException', (error) => {
    log(`internal error, the daemon ends: ${error.stack ?? error}`);
    process.exit(70);
  });
  try {
    const signal = await serve({ places, idleExit, maxMessage, isStarted }, () => tell({ ready: true }));
    // The log is let go of before the connections: a client that notices the end may unmount the file system.
    if (isStarted) for (const fd of [1, 2] as const) letGo(fd);
    return signal ?? 0;
  } catch (error) {
    if (error instanceof MqError) tell({ code: error.code, message: error.message, advice: error.advice });
    else tell({ code: 'INTERNAL', message: textOf(error) });
    throw error;
  }
}

function tell(report: Report): void {
  if (!process.send) return;
  // The starter may be gone, which changes nothing here.
  process.send(report, () => {
    if (process.connected) process.disconnect();
  });
}
