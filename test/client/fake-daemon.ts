import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Places, places } from '../../src/paths.ts';
import { FrameScanner } from '../../src/protocol/frames.ts';
import { parseRequest, requestLimits } from '../../src/protocol/parse-request.ts';
import type { Request } from '../../src/protocol/requests.ts';
import { encode, Push, type Value } from '../../src/protocol/values.ts';
import { VERSION } from '../../src/version.ts';

/** The answer to a request, or what the daemon does in its place. */
export type Serve = (request: Request) => Value | 'die' | 'silent' | 'stop';

const GREETING = new Map([
  ['server', 'mq'],
  ['version', VERSION],
]);

/** Daemons of our own, one after the other on one socket. */
export class FakeDaemon {
  readonly places: Places;
  /** Each connection is served by the next of these, until it answers 'die'. */
  serves: Serve[] = [];
  /** The requests over each connection, without the greeting. */
  readonly asked: Request[][] = [];
  /** Writes to each connection what nobody asked for, or an answer later on. */
  readonly writes: ((value: Value) => void)[] = [];
  readonly #home = mkdtempSync(join(tmpdir(), 'mq-fake-'));
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer((socket) => this.#accept(socket));

  constructor() {
    this.places = places({ MQ_HOME: this.#home });
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(join(this.#home, 'mq.sock'), resolve));
  }

  /** No further connection is taken. */
  close(): void {
    this.#server.close();
  }

  /** All connections end, as when the daemon is killed. */
  die(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  async end(): Promise<void> {
    this.die();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#home, { recursive: true });
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    const serve = this.serves.shift() ?? (() => 'silent');
    const requests: Request[] = [];
    this.asked.push(requests);
    const scanner = new FrameScanner(requestLimits(1e6));
    const write = (value: Value) => socket.write(Buffer.concat(encode(value, 3)));
    this.writes.push(write);
    socket.on('error', () => {});
    socket.on('data', (chunk) =>
      scanner.push(chunk, (frame) => {
        const request = parseRequest(frame);
        if (request.verb === 'HELLO') return write(GREETING);
        if (socket.destroyed) return;
        requests.push(request);
        const answer = serve(request);
        if (answer === 'die') socket.destroy();
        else if (answer === 'stop') socket.end(Buffer.concat(encode(new Push(['stopped']), 3)));
        else if (answer !== 'silent') write(answer);
      }),
    );
  }
}
