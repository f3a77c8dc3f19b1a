import type { Once } from '../once.ts';
import { NOTHING } from '../packed.ts';
import type { Range } from '../range.ts';
import type { Settings } from '../settings.ts';
import type { Greeting, Request } from './requests.ts';

/** The frame of a request. */
export function encodeRequest(request: Request): Buffer {
  const words = [request.verb, ...wordsOf(request)];
  const messages = request.verb === 'PUT' ? request.messages : NOTHING;
  let head = `*${words.length + messages.count}\r\n`;
  for (const word of words) head += `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
  return Buffer.concat([Buffer.from(head), messages.bytes]);
}

function wordsOf(request: Request): string[] {
  switch (request.verb) {
    case 'HELLO':
      return [String(request.version ?? 2), ...greetingWords(request.mq)];
    case 'PUT':
      return [
        ...timeoutWords(request.timeout),
        ...(request.priority === 0 ? [] : ['PRIORITY', String(request.priority)]),
        ...numberWords('DELAY', request.delay),
        ...numberWords('TTL', request.ttl),
        ...(request.key === undefined ? [] : ['KEY', request.key]),
        ...(request.client ? ['CLIENT', request.client.id, String(request.client.index)] : []),
        ...(request.done ? ['DONE', request.done.queue, request.done.lease] : []),
        ...onceWords(request.once),
        'QUEUE',
        request.queue,
      ];
    case 'GET':
      return [
        ...request.queues.flatMap((queue, i) => (i === 0 ? [queue] : ['OR', queue])),
        ...timeoutWords(request.timeout),
        ...numberWords('COUNT', request.count),
        ...numberWords('LEASE', request.lease),
        ...(request.hold ? ['HOLD'] : []),
        ...(request.packed ? ['PACKED'] : []),
        ...(request.until ? ['UNTIL', request.until.toUpperCase()] : []),
        ...(request.done ? ['DONE', request.done.queue, ...request.done.ids.map(rangeWord)] : []),
      ];
    case 'DONE':
      return [request.queue, ...onceWords(request.once), ...request.ids.map(rangeWord), ...request.leases];
    case 'FAIL':
      return [
        request.queue,
        ...numberWords('DELAY', request.delay),
        ...onceWords(request.once),
        ...request.leases,
      ];
    case 'RETURN':
      return [request.queue, ...onceWords(request.once), ...request.leases];
    case 'EXTEND':
      return [
        request.queue,
        String(request.duration),
        ...(request.binding ? [request.binding.toUpperCase()] : []),
        ...request.leases,
      ];
    case 'JOIN':
      return [request.queue, ...timeoutWords(request.timeout)];
    case 'PIPE':
      return [
        request.pipe,
        ...(request.direction === 'both' ? [] : [request.direction.toUpperCase()]),
        ...timeoutWords(request.timeout),
        ...numberWords('PID', request.pid),
      ];
    case 'CREATE':
    case 'SET':
      return [request.queue, ...settingWords(request.settings)];
    case 'PEEK':
      return [request.queue, ...numberWords('COUNT', request.count)];
    case 'RM':
      return [request.queue, ...(request.force ? ['FORCE'] : []), ...onceWords(request.once)];
    case 'CLOSE':
      return [request.queue, ...(request.now ? ['NOW'] : [])];
    case 'ECHO':
      return [request.text.toString()];
    case 'LS':
      return [
        ...(request.after === undefined ? [] : ['AFTER', request.after]),
        ...numberWords('COUNT', request.count),
      ];
    case 'MOVE':
      return [request.queue, request.to, ...numberWords('COUNT', request.count), ...onceWords(request.once)];
    case 'PURGE':
      return [request.queue, ...onceWords(request.once)];
    case 'POSITION':
      return [request.client];
    default:
      return 'queue' in request ? [request.queue] : [];
  }
}

function greetingWords(mq: Greeting | undefined): string[] {
  if (mq === undefined) return [];
  return [
    'MQ',
    String(mq.protocol),
    mq.version,
    ...(mq.replace ? ['REPLACE'] : []),
    ...(mq.holder === undefined ? [] : ['PROCESS', mq.holder]),
    ...(mq.pid === undefined ? [] : ['PID', String(mq.pid)]),
  ];
}

function timeoutWords(timeout: number): string[] {
  if (timeout === Infinity) return [];
  return timeout === 0 ? ['NOWAIT'] : ['TIMEOUT', String(timeout)];
}

function numberWords(option: string, number: number | undefined): string[] {
  return number === undefined ? [] : [option, String(number)];
}

function onceWords(once: Once | undefined): string[] {
  return once ? ['ONCE', once.client, String(once.seq), String(once.acked)] : [];
}

function rangeWord({ first, last }: Range): string {
  return first === last ? String(first) : `${first}-${last}`;
}

function settingWords(settings: Partial<Settings>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [name.toUpperCase(), String(value)]);
}
