/**
 * The state of a queue in which a get ends, because there is nothing to wait for; with several queues all of them are
 * in it at one moment. Drained: closed, and nothing is waiting or delayed. Finished: closed, and nothing is
 * unfinished. Idle: nothing is unfinished, be the queue closed or open.
 */
export type Until = 'drained' | 'finished' | 'idle';
