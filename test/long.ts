/** The test files that `npm run test:quick` leaves out, and why: it is to end within 30 s on two idle cores. */
export const LONG = [
  {
    why: 'They run the executable hundreds of times. Its main verbs are in put-get, verbs and work, which stay.',
    files: [
      'test/cli/advice.test.ts',
      'test/cli/alteration.test.ts',
      'test/cli/command-line.test.ts',
      'test/cli/completion.test.ts',
      'test/cli/daemon.test.ts',
      'test/cli/disk.test.ts',
      'test/cli/folders.test.ts',
      'test/cli/leases.test.ts',
      'test/cli/python-pipe.test.ts',
      'test/cli/python-queue.test.ts',
      'test/cli/signals.test.ts',
      'test/cli/start.test.ts',
      'test/cli/waiting.test.ts',
      'test/cli/work-queues.test.ts',
      'test/native/compile.test.ts',
      'test/native/fuzz.test.ts',
      'test/readme.test.ts',
      'test/standalone.test.ts',
    ],
  },
  {
    why: 'They kill something, often many times.',
    files: [
      'test/campaign.test.ts',
      'test/cli/clients.test.ts',
      'test/cli/interrupted.test.ts',
      'test/cli/loss.test.ts',
      'test/cli/work-end.test.ts',
      'test/native/kills.test.ts',
      'test/power/power-loss.test.ts',
    ],
  },
  {
    why: 'They send much: up to a gigabyte, or until a disk is full.',
    files: [
      'test/cli/drain.test.ts',
      'test/cli/flow.test.ts',
      'test/cli/fuzz.test.ts',
      'test/cli/pipe.test.ts',
      'test/store/parts.test.ts',
      'test/store/turns.test.ts',
    ],
  },
  {
    why: 'They wait for what takes seconds: leases that run out, daemons that hang, progress that is shown, a store at rest.',
    files: [
      'test/cli/hang.test.ts',
      'test/cli/progress.test.ts',
      'test/cli/work-leases.test.ts',
      'test/native/answers.test.ts',
      'test/native/front.test.ts',
      'test/store/room.test.ts',
    ],
  },
  {
    why: 'They try many damages and many random sequences. The contract of the store stays.',
    files: ['test/store/agreement.test.ts', 'test/store/alteration.test.ts'],
  },
];
