import { expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { silentLogger } from '../../../src/observe.js';
import { createOutageLog } from '../../../src/queue/bullmq/outage-log.js';

function rig() {
  const said: string[] = [];
  const log = (_: object, message: string) => said.push(message);
  const outage = createOutageLog(
    { ...silentLogger, warn: log, info: log },
    systemClock,
    'redis:6379',
    String,
  );
  return { said, outage };
}

it('an outage of Redis is over when the last of the connections is back', () => {
  const { said, outage } = rig();
  const [commands, worker] = [{}, {}];
  for (const connection of [commands, worker, commands]) outage.failed(connection, new Error('refused'));
  outage.recovered(commands);
  outage.failed(worker, new Error('refused'));
  expect(said).toEqual(['redis unreachable']);
  outage.recovered(worker);
  outage.recovered(worker);
  expect(said).toEqual(['redis unreachable', 'redis reachable again']);
});

it('an outage of one connection alone ends in the log as well', () => {
  const { said, outage } = rig();
  const worker = {};
  outage.failed(worker, new Error('Socket timeout'));
  outage.recovered({});
  outage.recovered(worker);
  expect(said).toEqual(['redis unreachable', 'redis reachable again']);
});
