/** How a block of the README is run: scripts for sh, that begin in the home folder, and what comes of it. */
export interface Recipe {
  /** Steps before it. */
  before?: string;
  /** Steps of others while it runs. */
  meanwhile?: string;
  /** The check at the end. */
  after?: string;
  input?: string;
  out?: string | RegExp;
  err?: string | RegExp;
  /** Variables that it uses. */
  env?: Record<string, string>;
  /** Each line is run by itself, with what has to be there. */
  isEachAlone?: boolean;
  isInCheckout?: boolean;
  /** Commands that succeed where it can be run. */
  needs?: string[];
}

/** Blocks that are not run. */
export const NOT_RUN: Record<string, string> = {
  'npm run demo    # sets everything up; a producer and two consumers, then a million messages':
    'They set up the checkout that this runs in, and run its tests.',
};

/** The commands that the README makes up. */
export const STUBS: Record<string, string> = {
  optimize: '#!/bin/sh\nprintf "%s\\n" "$@" >> ~/optimized\n',
  // Some day it will work: what is to be done later, and what fails the first time.
  handle: `#!/bin/sh
printf '%s\\n' "$1" >> ~/handled
case $1 in
  later) exit 75 ;;
  flaky) [ "$(grep -c flaky ~/handled)" -gt 1 ] ;;
esac
`,
  'backup-database': '#!/bin/sh\nprintf "%s\\n" "$1" >> ~/backed-up\n',
  'fetch-new-urls': '#!/bin/sh\necho one; echo two\n',
  'download-all': '#!/bin/sh\ncat >> ~/downloaded\n',
  generate: '#!/bin/sh\nseq 50\n',
  pg_dump: '#!/bin/sh\nseq 1000\n',
};

const PICTURES = "touch 1.jpg '2 two.jpg'; mkdir -p -- -3; touch -- -3/-4.jpg";

/** Closes a queue once all that comes into it is done. */
function closing(queue: string): string {
  return `${filled(queue)}\nmq join ${queue}\nmq close ${queue}`;
}

function filled(queue: string): string {
  return `until mq stat ${queue} >/dev/null 2>&1; do sleep 0.1; done`;
}

function has(file: string, lines: string): string {
  return `[ "$(LC_ALL=C sort ${file})" = "$(printf -- '${lines}')" ]`;
}

/** The loop of a script says why it ends. */
const CLOSED = /^(mq: get \w+: queue \w+ is closed\n)+$/;

/** A service for one client, on standard error only if it fails. */
const UPPER = 'exec mq pipe upper -- tr a-z A-Z';

const OPTIMIZED = has('optimized', './-3/-4.jpg\\n./1.jpg\\n./2 two.jpg');

/** By the first lines of the blocks. */
export const RECIPES: Record<string, Recipe> = {
  '# a producer': { before: PICTURES, meanwhile: closing('pictures'), err: CLOSED, after: OPTIMIZED },
  'mq work pictures -j 4 -- optimize {}': {
    before: `${PICTURES}; rm -f optimized; find . -name '*.jpg' | mq put pictures`,
    meanwhile: closing('pictures'),
    after: OPTIMIZED,
  },
  'PATH=$PWD/bin:$PATH': { isInCheckout: true, out: /^Usage: mq COMMAND/ },
  'mq create downloads --retry-delay 2s': {
    before: 'printf "$URL/a\\n$URL/b\\n$URL/c\\n" > urls.txt',
    after: '[ "$(cat a b c)" = /a/b/c ]; [ "$(mq size downloads)" = 0 ]',
  },
  'mq peek -c 100 downloads.dead': {
    before: 'mq create downloads; mq put downloads.dead gone-wrong',
    out: 'gone-wrong\n',
    err: 'mq: move downloads.dead: 1 moved to downloads\n',
    after: '[ "$(mq get -n downloads)" = gone-wrong ]',
  },
  'mq create backup --max-attempts 3 --retry-delay 1m': { after: 'mq empty backup.dead' },
  'for db in /srv/db/*; do': { after: 'grep /srv/db backed-up; mq empty backup' },
  // cron mails what is printed.
  'PATH=/home/me/bin:/usr/local/bin:/usr/bin:/bin': {
    before: 'mq create backup --max-attempts 3 --retry-delay 1m; mq create backup.dead',
    out: '',
    after: 'grep /srv/db backed-up',
  },
  'mq create links --maxsize 1000': {
    before: `mkdir sub
printf '<a href="'$URL/1'">\\n' > index.html; printf '<a href="'$URL/2'">\\n' > sub/-.html`,
    after: '[ "$(mq stat --json links | jq .done)" = 2 ]; mq empty links',
    needs: ['jq --version'],
  },
  'mq put jobs -- "$line"': {
    env: { line: '-file' },
    before: 'echo text > -file',
    meanwhile: closing('jobs'),
    out: '1 -file\n',
  },
  'mq work jobs -- sh -c \'tr a-z A-Z < "$1" > "$1.upper"\' sh {}': {
    isEachAlone: true,
    before: 'rm -f ./*.upper; echo text > -file; mq open jobs || true; mq put jobs -- -file',
    meanwhile: closing('jobs'),
    after: '[ "$(cat ./-file.upper)" = TEXT ]',
  },
  "tab=$(printf '\\t')": {
    before: 'mq put jobs good later flaky -- -hyphen',
    meanwhile: `until [ "$(grep -c flaky handled)" = 2 ]; do sleep 0.1; done
mq purge jobs; mq close jobs`,
    err: CLOSED,
    after: has('handled', '-hyphen\\nflaky\\nflaky\\ngood\\nlater'),
  },
  "mq put jobs < list && mq join jobs && echo 'all done or given up on'": {
    before: 'seq 3 > list',
    meanwhile: `${filled('jobs')}; mq work jobs --drain -- true`,
    out: 'all done or given up on\n',
  },
  'while mq pipe upper -- tr a-z A-Z || [ $? -eq 4 ]; do :; done    # the service': {
    meanwhile: `[ "$(echo hello | mq pipe upper)" = HELLO ]
# A client that dies.
{ echo hello; sleep 1; } | mq pipe upper > /dev/full 2>/dev/null || true
[ "$(echo hello | mq pipe upper)" = HELLO ]
until mq ls | grep -q "^upper *waiting"; do sleep 0.1; done
mq stop`,
    err: /the other end/,
  },
  'echo hello | mq pipe upper                       # HELLO': { meanwhile: UPPER, out: 'HELLO\n' },
  'mq pipe talk': {
    input: 'hello\n',
    meanwhile: '[ "$(echo hi | mq pipe talk)" = hello ]',
    out: 'hi\n',
  },
  'coproc mq pipe upper': { meanwhile: UPPER, out: 'HELLO\n' },
  'mq pipe dump --recv -t 1m > copy.sql &': { after: 'pg_dump | cmp - copy.sql' },
  "find . -name '*.log' -print0 | mq put -0 logs": {
    before: 'echo a > a.log; echo b > "$(printf "new\\nline.log")"; echo c > -c.log',
    after: '[ "$(zcat ./*.gz | sort | tr -d "\\n")" = abc ]; mq empty logs',
  },
  '*/5 * * * *  fetch-new-urls | mq put urls': { after: has('downloaded', 'one\\none\\ntwo\\ntwo') },
  'mq create lines --maxsize 100': { after: '[ "$(mq size lines)" = 50 ]' },
  'mq get -f0 pictures | xargs -0 -n 1 -P 4 optimize': {
    before: `${PICTURES}; find . -name '*.jpg' -print0 | mq put -0 pictures`,
    meanwhile: closing('pictures'),
    after: OPTIMIZED,
  },
  'while job=$(mq get jobs); do handle "$job"; done': {
    before: 'mq put jobs one "two words" -- -three',
    meanwhile: closing('jobs'),
    err: CLOSED,
    after: has('handled', '-three\\none\\ntwo words'),
  },
  "mq get -f measurements | awk '{ sum += $1; print sum }' > sums": {
    before: 'seq 3 | mq put measurements',
    meanwhile: closing('measurements'),
    after: has('sums', '1\\n3\\n6'),
  },
  'mq create todo --kind priority': {
    before: 'mq put normal normal',
    meanwhile: `until mq stat todo >/dev/null 2>&1 && mq empty normal; do sleep 0.1; done
mq put urgent urgent; ${closing('urgent')}; mq close normal`,
    out: 'put out the fire\nnormal\n',
    after: has('handled', 'urgent'),
  },
  "mq put --delay 10m reminders 'the tea is ready'": {
    after: 'mq empty reminders; [ "$(mq size alerts) $(mq size jobs)" = "1 1" ]',
  },
  'mq close jobs': { before: 'mq create jobs', after: 'mq put jobs x' },
  'mq put -w backups < dump.sql': {
    before: 'head -c 100000 /dev/urandom > dump.sql',
    after: 'cmp dump.sql copy.sql',
  },
  'import json, redis, subprocess': {
    needs: ["python3 -c 'import redis'"],
    after: '[ "$(mq stat --json jobs | jq -c "[.put, .done, .failed]")" = "[3,2,1]" ]',
  },
  'mq start': {
    before: 'mq put jobs x',
    needs: ['redis-cli --version', 'jq --version'],
    out: /^name\njobs\n/,
  },
  'eval "$(mq completion bash)"    # in ~/.bashrc': {
    isEachAlone: true,
    needs: ['bash -c true', 'zsh -c true', 'fish -c true'],
  },
};
