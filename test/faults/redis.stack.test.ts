import { Redis } from 'ioredis';
import { until } from '../stack/process.js';
import { type RedisHandle, startRedis } from '../stack/redis.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { describeFaults, type Fault } from './describe-faults.js';
import { startWorld, type World } from './world.js';

interface RedisWorld extends World {
  redis: RedisHandle;
  /** Between the daemon and Redis; it leads elsewhere after a failover. */
  readonly redisWay: TcpProxy;
}

async function startRedisWorld(): Promise<RedisWorld> {
  const redis = await startRedis();
  const redisWay = await startTcpProxy(redis.port);
  const url = `redis://127.0.0.1:${redisWay.port}`;
  const world = await startWorld({ configuration: { queue: { kind: 'bullmq', url } } });
  const self: RedisWorld = {
    ...world,
    redis,
    redisWay,
    async stop() {
      await world.stop();
      await redisWay.cut();
      await self.redis.stop();
    },
  };
  return self;
}

const away = (seconds: number, more: Partial<Fault<RedisWorld>> = {}): Fault<RedisWorld> => ({
  name: `is away for ${seconds} s`,
  begin: ({ redis }) => redis.kill(),
  seconds,
  end: ({ redis }) => redis.restart(),
  timeoutMs: 90_000,
  ...more,
});

async function command(port: number, name: string, ...values: string[]): Promise<unknown> {
  const redis = new Redis(port, '127.0.0.1', { lazyConnect: true, maxRetriesPerRequest: 1 });
  try {
    await redis.connect();
    return await redis.call(name, ...values);
  } finally {
    redis.disconnect();
  }
}

describeFaults('Redis', startRedisWorld, [
  away(5),
  away(20),
  away(120, { soak: true }),
  {
    name: 'is killed and restarted while it works',
    begin: () => {},
    meanwhile: async ({ way, redis }) => {
      await way.next('arrived');
      await redis.kill();
      await redis.restart();
    },
    timeoutMs: 90_000,
  },
  {
    name: 'answers slowly',
    begin: ({ redisWay }) => {
      redisWay.delayMs = 150;
    },
    seconds: 5,
    end: ({ redisWay }) => {
      redisWay.delayMs = 0;
    },
    timeoutMs: 90_000,
  },
  {
    name: 'loses every connection',
    begin: ({ redisWay }) => redisWay.cut(),
    seconds: 3,
    end: ({ redisWay }) => redisWay.mend(),
    timeoutMs: 90_000,
  },
  {
    name: 'has no memory left',
    begin: async ({ redis }) => {
      await command(redis.port, 'CONFIG', 'SET', 'maxmemory', '1mb');
    },
    seconds: 5,
    end: async ({ redis }) => {
      await command(redis.port, 'CONFIG', 'SET', 'maxmemory', '0');
    },
    timeoutMs: 120_000,
  },
  // What the replica misses is made again by the daemon, which knows its last steps.
  {
    name: 'fails over to a replica that misses the last second',
    begin: async (world) => {
      const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(world.redis.port)] });
      replicas.set(world, replica);
      await until('the replica has everything', async () =>
        String(await command(replica.port, 'INFO', 'replication')).includes('master_link_status:up'),
      );
      await command(replica.port, 'REPLICAOF', 'NO', 'ONE');
    },
    seconds: 1,
    end: async (world) => {
      const replica = replicas.get(world);
      if (replica === undefined) throw new Error('no replica was started');
      await world.redis.stop();
      world.redis = replica;
      world.redisWay.target = replica.port;
      await world.redisWay.cut();
      await world.redisWay.mend();
    },
    timeoutMs: 120_000,
  },
]);

const replicas = new WeakMap<World, RedisHandle>();
