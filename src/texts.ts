/**
 * Texts that the client in TypeScript and the native front say alike: the header that the front is built with has them
 * from here (build/front-table.ts).
 */
export const TEXTS = {
  stopped: 'the daemon was stopped',
  unanswered: 'the daemon does not answer',
  dying: 'the daemon keeps dying',
  seeLog: 'See its log: ',
  noDaemon: 'no daemon runs',
  startIt: 'Start it with: mq start',
  notMq: 'the program that listens on the socket is not mq',
  notUnderstood: "the daemon's answer is not understood",
  answered: 'the daemon answered: ',
  mayBeDone: 'it is not known whether it was done',
  mayComeAgain: 'printed messages may come again',
  noMessage: 'no message',
  inTime: ' in time',
  unfinished: 'messages are unfinished',
  noQueue: 'there is no queue ',
  noLease: 'there is no lease ',
  areSettled: ' of the leases are settled',
  unwritten: 'standard output cannot be written: ',
  interrupted: 'interrupted; ',
  notOfTheRest: '; the rest is not known',
  noneStored: 'nothing was stored',
  oneStored: '1 message was stored',
  manyStored: ' messages were stored',
  forCertain: ' for certain',
} as const;
