import { cp, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { installed } from './installed.js';
import { JAVA_OPTIONS } from './java.js';
import { freePorts } from './ports.js';
import { createRunDirectory, type ServerHandle, startServer } from './process.js';

export interface KafkaOptions {
  /** False: a topic that nobody made is an error, as in most real clusters. */
  autoCreateTopics?: boolean;
  port?: number;
  /** Lines added to server.properties. */
  properties?: Record<string, string>;
  signal?: AbortSignal;
}

export interface KafkaHandle extends ServerHandle {
  /** `127.0.0.1:PORT` */
  readonly broker: string;
  /** Resolves once the topic can be written to. Repeating is safe. */
  createTopic(topic: string, partitions?: number): Promise<void>;
}

const LOGGING = `<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders><Console name="console"><PatternLayout pattern="%d %p %m (%c)%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="console"/></Root></Loggers>
</Configuration>
`;

/** Starts one broker that is its own KRaft controller; resolves once it answers clients. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaHandle> {
  const libs = await installed('kafka');
  const [freePort = 0, controllerPort = 0] = await freePorts(2);
  const { port = freePort } = options;
  const directory = await createRunDirectory('kafka');
  const broker = `127.0.0.1:${port}`;
  const propertiesFile = join(directory, 'server.properties');
  const loggingFile = join(directory, 'log4j2.xml');
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://${broker},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${broker}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(directory, 'log'),
    'auto.create.topics.enable': String(options.autoCreateTopics ?? false),
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    // After a SIGKILL a restart waits until the controller gives up the broker's old session.
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
    ...options.properties,
  };
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(propertiesFile, lines.join(''));
  await writeFile(loggingFile, LOGGING);
  const java = [...JAVA_OPTIONS, '-Xms128m', '-Xmx384m', `-Dlog4j2.configurationFile=${loggingFile}`];
  java.push(`-XX:SharedArchiveFile=${join(libs, '..', 'classes.jsa')}`, '-cp', join(libs, '*'));
  // Each broker is a cluster of its own, so that all may have the same id.
  await cp(join(libs, '..', 'formatted'), join(directory, 'log'), { recursive: true });

  const server = { name: 'kafka', command: 'java', args: [...java, 'kafka.Kafka', propertiesFile] };
  const ready = async () => (await accepts(port)) && (await answers(broker));
  const { signal } = options;
  const wait = { timeoutMs: 60_000, intervalMs: 100, ...(signal ? { signal } : {}) };
  return Object.assign(await startServer(directory, server, ready, wait), {
    broker,
    async createTopic(topic: string, partitions = 1) {
      await withAdmin(broker, async (admin) => {
        const topics = [{ topic, numPartitions: partitions, replicationFactor: 1 }];
        await admin.createTopics({ topics, waitForLeaders: true });
      });
    },
  });
}

type Admin = ReturnType<Kafka['admin']>;

async function withAdmin<T>(broker: string, use: (admin: Admin) => Promise<T>): Promise<T> {
  const kafka = new Kafka({
    clientId: 'scopemesh-stack',
    brokers: [broker],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2000,
    requestTimeout: 10_000,
    retry: { retries: 3, initialRetryTime: 100 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

async function answers(broker: string): Promise<boolean> {
  return withAdmin(broker, async (admin) => {
    const { brokers } = await admin.describeCluster();
    return brokers.length === 1;
  });
}

// Asked first, because kafkajs waits long before it gives up on a port that nobody listens on.
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    const settle = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.setTimeout(1000, () => settle(false));
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
