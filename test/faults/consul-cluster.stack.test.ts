import { type ConsulHandle, startConsulCluster } from '../stack/consul.js';
import { describeFaults } from './describe-faults.js';
import { startWorld, type World } from './world.js';

interface ClusterWorld extends World {
  /** All three; the daemon talks to `consul`, which does not lead at first. */
  readonly servers: readonly ConsulHandle[];
}

async function leads({ request }: ConsulHandle): Promise<boolean> {
  const self = Object(await request('GET', '/v1/agent/self').catch(() => ({})));
  return Object(Object(self.Stats).consul).leader === 'true';
}

async function startClusterWorld(): Promise<ClusterWorld> {
  const servers = await startConsulCluster();
  try {
    const flags = await Promise.all(servers.map(leads));
    const consul = servers[flags.indexOf(false)];
    if (consul === undefined) throw new Error('every server leads');
    const world = await startWorld({ consul });
    return {
      ...world,
      servers,
      async stop() {
        await world.stop();
        for (const server of servers) await server.stop();
      },
    };
  } catch (error) {
    for (const server of servers) await server.stop();
    throw error;
  }
}

const killed = new WeakMap<World, readonly ConsulHandle[]>();

/** Kills these servers; the others elect a leader if they are a majority. */
async function kill(world: ClusterWorld, choose: (isLeader: boolean, server: ConsulHandle) => boolean) {
  const flags = await Promise.all(world.servers.map(leads));
  const chosen = world.servers.filter((server, at) => choose(flags[at] === true, server));
  killed.set(world, chosen);
  await Promise.all(chosen.map((server) => server.kill()));
}

const restart = (world: World) => Promise.all((killed.get(world) ?? []).map((server) => server.restart()));

describeFaults('three Consul servers', startClusterWorld, [
  {
    name: 'lose their leader, and elect another',
    begin: (world) => kill(world, (isLeader, server) => isLeader && server !== world.consul),
    seconds: 5,
    exact: false,
    answersFail: true,
    end: restart,
  },
  {
    name: 'lose their majority for 5 s',
    begin: (world) => kill(world, (_, server) => server !== world.consul),
    seconds: 5,
    exact: false,
    answersFail: true,
    end: restart,
  },
]);
