import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { createKafkaDecisionLog } from '../../src/decisions/kafka/kafka-decision-log.js';
import { Secret } from '../../src/model/secret.js';
import { noMetrics } from '../../src/observe.js';
import { failureOf } from '../support/failure-of.js';
import { secretsIn } from './spellings.js';

const PASSWORD = 'k7+/=:@ %&-hunter2-of-the-topic';
const [API_VERSIONS, HANDSHAKE, AUTHENTICATE] = [18, 17, 36];

/** The answer of a broker that supports login alone, and repeats the password that it refuses. */
function answerOf(apiKey: number, version: number, login: string): Buffer {
  const int16 = (value: number) => Buffer.from([(value >> 8) & 255, value & 255]);
  const int32 = (value: number) => Buffer.concat([int16(value >>> 16), int16(value & 0xffff)]);
  const string = (text: string) => Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);
  if (apiKey === API_VERSIONS) {
    const supported = [API_VERSIONS, HANDSHAKE, AUTHENTICATE].map((key) =>
      Buffer.concat([int16(key), int16(0), int16(key === AUTHENTICATE ? 0 : 1)]),
    );
    const throttle = version > 0 ? [int32(0)] : [];
    return Buffer.concat([int16(0), int32(supported.length), ...supported, ...throttle]);
  }
  if (apiKey === HANDSHAKE) return Buffer.concat([int16(0), int32(1), string('PLAIN')]);
  return Buffer.concat([int16(58), string(`no user with ${login}`), int32(0)]);
}

it('the password is in no log and no error of a broker that repeats what it refuses', async () => {
  let received = '';
  const server = createServer((socket) => {
    let rest = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const request = rest.subarray(4, 4 + rest.readInt32BE(0));
        rest = rest.subarray(4 + request.length);
        received += request.toString();
        const body = answerOf(request.readInt16BE(0), request.readInt16BE(2), PASSWORD);
        const head = Buffer.alloc(8);
        head.writeInt32BE(4 + body.length, 0);
        request.copy(head, 4, 4, 8);
        socket.write(Buffer.concat([head, body]));
      }
    });
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const logged: unknown[] = [];
  const note = (...parts: readonly unknown[]) => logged.push(parts);
  const log = createKafkaDecisionLog({
    brokers: [`127.0.0.1:${port}`],
    sasl: { mechanism: 'plain', username: 'scopemesh', password: new Secret(PASSWORD) },
    topic: 'decisions',
    clientId: 'test',
    transactionalId: 'test',
    timeoutMs: 5_000,
    logger: { debug: note, info: note, warn: note, error: note },
    metrics: noMetrics,
    clock: systemClock,
  });
  const failure = await failureOf(log.check());
  await log.close();
  server.close();
  expect(received).toContain(PASSWORD);
  expect(String(failure)).toContain('the brokers refused the user and password of `decisions.sasl`');
  expect(logged.length).toBeGreaterThan(0);
  const text = inspect([failure, logged], { depth: null, showHidden: true });
  expect(secretsIn(text, new Map([['kafka password', PASSWORD]]))).toEqual([]);
});
