import { type Admin, Kafka, logLevel } from 'kafkajs';
import { expect } from 'vitest';
import { type KafkaHandle, startKafka } from '../stack/kafka.js';
import { freePort } from '../stack/ports.js';
import { until } from '../stack/process.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { describeFaults, type Fault } from './describe-faults.js';
import { CLIENTS, isEqual, startWorld, type World } from './world.js';

interface KafkaWorld extends World {
  readonly kafka: KafkaHandle;
  readonly kafkaWay: TcpProxy;
  /** Whether there was no topic before the daemon started. */
  readonly wasMissing: boolean;
}

const TOPIC = 'scopemesh.decisions';

async function startKafkaWorld(): Promise<KafkaWorld> {
  const port = await freePort();
  const kafkaWay = await startTcpProxy(port);
  // Clients go on to the address that the broker names, which is that of the proxy.
  const properties = { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${kafkaWay.port}` };
  const kafka = await startKafka({ port, properties });
  const wasMissing = !(await hasTopic(kafka));
  const world = await startWorld({ topic: { broker: `127.0.0.1:${kafkaWay.port}`, name: TOPIC } });
  return {
    ...world,
    kafka,
    kafkaWay,
    wasMissing,
    async stop() {
      await world.stop();
      await kafkaWay.cut();
      await kafka.stop();
    },
  };
}

/** Access does not wait for the topic. */
const accessGoesOn = async (world: World) => {
  await world.delivered();
  await until('Consul equals the identity provider', () => isEqual(world));
};

async function asAdmin<T>({ broker }: KafkaHandle, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

const hasTopic = (kafka: KafkaHandle) =>
  asAdmin(kafka, async (admin) => (await admin.listTopics()).includes(TOPIC));

const setMaxMessageBytes = ({ kafka }: KafkaWorld, bytes: number) =>
  asAdmin(kafka, (admin) => {
    const configEntries = [{ name: 'max.message.bytes', value: String(bytes) }];
    // 2: a topic.
    return admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: 2, name: TOPIC, configEntries }],
    });
  });

const away = (seconds: number, more: Partial<Fault<KafkaWorld>> = {}): Fault<KafkaWorld> => ({
  name: `is away for ${seconds} s`,
  begin: ({ kafka }) => kafka.kill(),
  seconds,
  meanwhile: accessGoesOn,
  end: ({ kafka }) => kafka.restart(),
  timeoutMs: 120_000,
  ...more,
});

describeFaults('Kafka', startKafkaWorld, [
  {
    name: 'has no topic when the daemon starts',
    begin: async ({ kafka, wasMissing }) => {
      expect(wasMissing).toBe(true);
      expect(await hasTopic(kafka)).toBe(true);
    },
    meanwhile: async (world) => {
      await accessGoesOn(world);
      // What the start decided is in the topic too.
      expect((await world.decisions()).length).toBeGreaterThan(CLIENTS);
    },
  },
  // test/e2e/adverse.test.ts has the same beside a real Keycloak.
  away(10, { soak: true }),
  away(120, { soak: true }),
  {
    name: 'is killed and restarted while decisions are published',
    begin: () => {},
    meanwhile: async ({ kafka }) => {
      await kafka.kill();
      await kafka.restart();
    },
    timeoutMs: 120_000,
  },
  {
    name: 'answers slowly',
    begin: ({ kafkaWay }) => {
      kafkaWay.delayMs = 400;
    },
    seconds: 5,
    meanwhile: accessGoesOn,
    end: ({ kafkaWay }) => {
      kafkaWay.delayMs = 0;
    },
    timeoutMs: 120_000,
  },
  {
    name: 'takes no message as large as a decision',
    begin: (world) => setMaxMessageBytes(world, 500),
    seconds: 5,
    meanwhile: async (world) => {
      await accessGoesOn(world);
      expect((await world.daemon.status()).outboxDecisions).toBeGreaterThan(0);
    },
    end: (world) => setMaxMessageBytes(world, 1_000_000),
    timeoutMs: 120_000,
  },
]);
