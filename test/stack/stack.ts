import { randomBytes } from 'node:crypto';
import { stringify } from 'yaml';
import type { KeycloakOfRun } from './connect-keycloak.js';
import { type ConsulHandle, startConsul } from './consul.js';
import { type Mesh, startMesh } from './envoy.js';
import { type KafkaHandle, startKafka } from './kafka.js';
import { signingKeyFile } from './key-file.js';
import { type KeycloakHandle, startKeycloak } from './keycloak.js';
import { type RedisHandle, startRedis } from './redis.js';

export interface StackOptions {
  /** Where scopemesh will listen, which is where Keycloak delivers its webhooks: 127.0.0.1:8080. */
  intake?: string;
  /** Of every Envoy, in seconds; 1, so that open connections do not outlive a denial for long. */
  drainTimeSeconds?: number;
  /** Instead of a Keycloak of its own; the scene gets a realm there with a name of its own. */
  keycloak?: () => Promise<KeycloakOfRun>;
  signal?: AbortSignal;
  /** Called as each server is up. */
  onReady?: (name: string, elapsedMs: number) => void;
}

/** Every server, and on them the smallest scene: `web` may `orders:read` at `orders` as the client `web-app`. */
export interface Stack {
  readonly consul: ConsulHandle;
  readonly redis: RedisHandle;
  readonly kafka: KafkaHandle;
  readonly keycloak: KeycloakOfRun;
  /** What it started beside the mesh. */
  readonly servers: readonly (ConsulHandle | RedisHandle | KafkaHandle | KeycloakHandle)[];
  readonly mesh: Mesh;
  readonly realm: string;
  readonly issuer: string;
  readonly topic: string;
  readonly reader: { clientId: string; clientSecret: string };
  readonly webhookSecret: string;
  /** A complete scopemesh.yaml for this stack, secrets included. */
  configuration(state: { directory: string }): string;
  /** Repeating is safe. */
  stop(): Promise<void>;
}

const REALM = 'demo';
const TOPIC = 'scopemesh.decisions';

/** Starts all servers at once; resolves with the scene in place, or stops what it started and throws. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const intake = options.intake ?? '127.0.0.1:8080';
  const realm = options.keycloak === undefined ? REALM : `${REALM}-${randomBytes(4).toString('hex')}`;
  const began = performance.now();
  const stops: Array<() => Promise<void>> = [];
  const signal = options.signal ? { signal: options.signal } : {};
  const noted = async <T extends { stop(): Promise<void> }>(
    name: string,
    starting: Promise<T>,
  ): Promise<T> => {
    const handle = await starting;
    stops.push(() => handle.stop());
    options.onReady?.(name, performance.now() - began);
    return handle;
  };
  const ownKeycloak: KeycloakHandle[] = [];
  // What started last depends on what started first.
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one().catch(() => {});
  };

  const startScene = async () => {
    const consul = await noted('consul', startConsul(signal));
    const services = [
      { name: 'orders', protocol: 'http' as const },
      {
        name: 'web',
        protocol: 'http' as const,
        upstreams: ['orders'],
        meta: { 'oauth-client-id': 'web-app' },
      },
    ];
    const drain = { drainTimeSeconds: options.drainTimeSeconds ?? 1 };
    return { consul, mesh: await noted('mesh', startMesh(consul, { services, ...drain, ...signal })) };
  };
  const startTopic = async () => {
    const kafka = await noted('kafka', startKafka(signal));
    await kafka.createTopic(TOPIC, 3);
    return kafka;
  };
  const startOwnKeycloak = async () => {
    const own = await noted('keycloak', startKeycloak(signal));
    ownKeycloak.push(own);
    return own;
  };
  const startRealm = async () => {
    const webhookSecret = randomBytes(32).toString('hex');
    const keycloak = await (options.keycloak?.() ?? startOwnKeycloak());
    const { admin } = keycloak;
    await admin.createRealm(realm);
    const reader = await admin.createReader(realm);
    for (const scope of ['orders:read', 'orders:write']) await admin.createClientScope(realm, scope);
    await admin.createClient(realm, 'web-app', { attributes: { 'consul-services': 'web' } });
    await admin.addScope(realm, 'web-app', 'orders:read');
    await admin.registerWebhook(realm, { url: `http://${intake}/events/main`, secret: webhookSecret });
    return { keycloak, reader, webhookSecret };
  };

  const starting = [noted('redis', startRedis(signal)), startTopic(), startRealm(), startScene()] as const;
  try {
    const [redis, kafka, { keycloak, reader, webhookSecret }, { consul, mesh }] = await Promise.all(starting);
    const issuer = `${keycloak.address}/realms/${realm}`;
    return {
      consul,
      redis,
      kafka,
      keycloak,
      servers: [consul, redis, kafka, ...ownKeycloak],
      mesh,
      realm,
      issuer,
      topic: TOPIC,
      reader,
      webhookSecret,
      configuration: (state) =>
        stringify({
          owner: 'demo',
          mode: 'enforce',
          consul: { address: consul.httpAddress, token: consul.managementToken },
          providers: [
            {
              name: 'main',
              kind: 'keycloak',
              issuer,
              ...reader,
              webhook: { secrets: [webhookSecret] },
              poll: '30s',
            },
          ],
          scopes: {
            'orders:read': { to: 'orders', methods: ['GET', 'HEAD'], path: '/' },
            'orders:write': { to: 'orders', methods: ['POST', 'PUT', 'DELETE'], path: '/' },
          },
          queue: { kind: 'bullmq', url: redis.url },
          decisions: {
            kind: 'kafka',
            brokers: [kafka.broker],
            topic: TOPIC,
            signingKeyFile: signingKeyFile(),
          },
          http: { listen: intake },
          state,
        }),
      stop,
    };
  } catch (error) {
    await Promise.allSettled(starting);
    await stop();
    throw error;
  }
}
