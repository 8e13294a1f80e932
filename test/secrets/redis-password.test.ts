import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { RedisLink } from '../../src/queue/bullmq/redis-link.js';
import { failureOf } from '../support/failure-of.js';
import { secretsIn } from './spellings.js';

const PASSWORD = 'k7+/=:@ %&-hunter2-of-the-mesh';

it('the password is in no log and no error of a Redis that repeats what it refuses', async () => {
  let received = '';
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received += chunk.toString();
      socket.write(
        `-ERR unknown command 'AUTH', with args beginning with: 'user' '${PASSWORD}'\r\n`.repeat(4),
      );
    });
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const logged: unknown[] = [];
  const log = (...parts: readonly unknown[]) => logged.push(parts);
  const logger = { debug: log, info: log, warn: log, error: log };
  const url = `redis://user:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`;
  const link = new RedisLink(url, 'test', logger, systemClock);
  const failure = await failureOf(link.call((redis) => redis.get('x')));
  link.close();
  server.close();
  expect(received).toContain(PASSWORD);
  expect(logged.length).toBeGreaterThan(0);
  const text = [inspect(failure, { depth: null, showHidden: true }), inspect(logged, { depth: null })].join(
    '\n',
  );
  expect(secretsIn(text, new Map([['redis password', PASSWORD]]))).toEqual([]);
});
