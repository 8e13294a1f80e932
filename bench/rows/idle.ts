import { setTimeout as delay } from 'node:timers/promises';
import { countBetween } from '../support/consul.js';
import { type Bench, OURS, type Row, type Sample } from '../support/row.js';
import { openScene } from '../support/scene.js';
import { ringWorld } from '../support/world.js';

const DESTINATIONS = 1_000;
const WINDOW_SECONDS = 60;
/** What follows a start is no part of being idle. */
const REST_MS = 3_000;

/** What the daemon costs while nothing happens. */
export const idle: Row = {
  name: 'idle',
  title: 'CPU and requests of the daemon over one minute with 1,000 destinations and nothing to do',
  needs: ['consul'],
  figures: [
    { id: 'cpu', label: 'CPU, of one core', unit: '%' },
    { id: 'consul', label: 'requests to Consul, a minute', unit: '' },
    { id: 'idp', label: 'requests to the identity provider, a minute', unit: '' },
  ],
  open: async (bench) => ({
    contestants: new Map([[OURS, () => measure(bench)]]),
    close: async () => {},
  }),
};

async function measure(bench: Bench): Promise<Sample> {
  const provider = { poll: '30s', fullRead: '1h' };
  const scene = await openScene(ringWorld(bench.scaled(DESTINATIONS), 1), {
    provider,
    file: { resync: '5m' },
  });
  try {
    await scene.command('apply', '--yes');
    const daemon = await scene.startDaemon();
    await daemon.ready();
    await daemon.idle();
    await delay(REST_MS);
    const seconds = bench.scaled(WINDOW_SECONDS, 5);
    const idpRequests = () => Object.values(scene.idp.requests).reduce((sum, count) => sum + count, 0);
    const before = {
      cpu: await daemon.cpuSeconds(),
      idp: idpRequests(),
      consul: await scene.consul.requests(),
    };
    await delay(seconds * 1_000);
    const cpu = await daemon.cpuSeconds();
    const after = await scene.consul.requests();
    // Without our own looks at Consul's metrics.
    const ours = countBetween(before.consul, after, 'GET v1_agent_metrics');
    const perMinute = (count: number) => (count / seconds) * 60;
    return {
      ...(cpu === undefined || before.cpu === undefined ? {} : { cpu: ((cpu - before.cpu) / seconds) * 100 }),
      consul: perMinute(countBetween(before.consul, after, '') - ours),
      idp: perMinute(idpRequests() - before.idp),
    };
  } finally {
    await scene.close();
  }
}
