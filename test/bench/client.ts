import { once } from 'node:events';
import { connect } from 'node:net';
import { encodeRequest } from '../../src/protocol/encode-request.ts';
import { FrameScanner } from '../../src/protocol/frames.ts';
import { Reader } from '../../src/protocol/reader.ts';
import type { Request } from '../../src/protocol/requests.ts';
import type { Value } from '../../src/protocol/values.ts';

interface Unanswered {
  resolve: (frame: Buffer) => void;
  reject: (error: unknown) => void;
}

/** A client that only sends requests and reads answers: mq's own client needs the build. */
export class Client {
  readonly isConnected: Promise<unknown>;
  readonly #socket;
  readonly #unanswered: Unanswered[] = [];

  constructor(path: string) {
    const scanner = new FrameScanner({ bulk: Infinity, frame: Infinity, requests: false });
    this.#socket = connect(path);
    this.isConnected = once(this.#socket, 'connect');
    this.#socket.on('data', (chunk) =>
      scanner.push(chunk, (frame) => this.#unanswered.shift()?.resolve(frame)),
    );
    this.#socket.on('error', (error) => this.#unanswered.shift()?.reject(error));
  }

  /** @returns the frame of the answer */
  request(request: Request): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#unanswered.push({ resolve, reject });
      this.#socket.write(encodeRequest(request));
    });
  }

  /** @throws the answer, when it is an error */
  async ask(request: Request): Promise<Value> {
    const value = new Reader(await this.request(request)).read();
    if (value instanceof Error) throw value;
    return value;
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
