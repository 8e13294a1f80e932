import { randomBytes } from 'node:crypto';
import { stringify } from 'yaml';
import { systemClock } from '../../../src/clock.js';
import { createEmbeddedDecisionLog } from '../../../src/decisions/embedded/embedded-decision-log.js';
import { createEmbeddedConsul } from '../../../src/embedded/consul/embedded-consul.js';
import { createEmbeddedIdp, type EmbeddedIdp } from '../../../src/embedded/identity-provider/embedded-idp.js';
import type { Decision } from '../../../src/model/decision.js';
import { Secret } from '../../../src/model/secret.js';
import { silentLogger } from '../../../src/observe.js';
import { startConsul } from '../../stack/consul.js';
import { startKafka } from '../../stack/kafka.js';
import { signingKeyFile } from '../../stack/key-file.js';
import { freePort } from '../../stack/ports.js';
import { until } from '../../stack/process.js';
import { startRedis } from '../../stack/redis.js';
import { openDecisionTopic } from '../decision-topic.js';
import { type Scopemesh, startScopemesh } from '../scopemesh.js';
import { type ConsulApi, createConsulApi } from './consul-api.js';
import { type ConsulGate, startConsulGate } from './consul-gate.js';
import { registrationOf } from './registration.js';
import {
  CALLERS,
  clientBody,
  GRACE_PROBE,
  HTTP_FROM_THE_START,
  MAPPING,
  PROBE_TARGET,
  SERVICES,
} from './world.js';

/** A whole installation: a Consul, an identity provider, and the daemon between them as a process of its own. */
export interface Side {
  readonly name: string;
  readonly consul: ConsulApi;
  readonly gate: ConsulGate;
  readonly daemon: Scopemesh;
  /** A call of the identity provider's management API; resolves with the status once its event is delivered. */
  manage(method: string, path: string, body?: unknown): Promise<number>;
  /** Resolves once nothing is under way: no job, no request to Consul, no list to be read, no decision to be published. */
  quiet(): Promise<void>;
  /** Stops the daemon and reads every decision it made, in the order of each subject. */
  end(): Promise<readonly Decision[]>;
  /** Repeating is safe. */
  dispose(): Promise<void>;
}

interface Servers {
  readonly consulAddress: string;
  readonly aclToken: string;
  /** Of the configuration: `queue` and `decisions`. */
  readonly settings: Readonly<Record<string, unknown>>;
  readDecisions(stateDirectory: string): Promise<readonly Decision[]>;
}

type Stops = (() => Promise<unknown>)[];

/** Embedded Consul, queue and decision log. */
export function startEmbeddedSide(): Promise<Side> {
  return startSide('embedded', async (stops) => {
    const consul = await createEmbeddedConsul({ defaultPolicy: 'deny' });
    stops.push(() => consul.close());
    return {
      consulAddress: consul.address,
      aclToken: consul.managementToken,
      settings: { queue: { kind: 'embedded' }, decisions: { kind: 'embedded' } },
      readDecisions,
    };
  });
}

/** A real Consul, BullMQ on a real Redis, a real Kafka. */
export function startRealSide(): Promise<Side> {
  return startSide('real', async (stops) => {
    const started = <T extends { stop(): Promise<void> }>(starting: Promise<T>) =>
      starting.then((handle) => {
        stops.push(() => handle.stop());
        return handle;
      });
    const starting = [started(startConsul()), started(startRedis()), started(startKafka())] as const;
    await Promise.allSettled(starting);
    const [consul, redis, kafka] = await Promise.all(starting);
    const topic = 'scopemesh.decisions';
    await kafka.createTopic(topic, 3);
    return {
      consulAddress: consul.httpAddress,
      aclToken: consul.managementToken,
      settings: {
        queue: { kind: 'bullmq', url: redis.url },
        decisions: { kind: 'kafka', brokers: [kafka.broker], topic, signingKeyFile: signingKeyFile() },
      },
      readDecisions: () => openDecisionTopic(kafka.broker, topic).read(),
    };
  });
}

async function startSide(name: string, start: (stops: Stops) => Promise<Servers>): Promise<Side> {
  const stops: Stops = [];
  const dispose = async () => {
    for (const one of stops.splice(0).reverse()) await one().catch(() => {});
  };
  try {
    const servers = await start(stops);
    const consul = createConsulApi(servers.consulAddress, servers.aclToken);
    await seed(consul);
    const gate = await startConsulGate(servers.consulAddress);
    stops.push(() => gate.stop());
    const listen = `127.0.0.1:${await freePort()}`;
    const webhookSecret = new Secret(`whsec_${randomBytes(32).toString('base64')}`);
    const idp = await createEmbeddedIdp({
      clients: [
        ...CALLERS.map((service) => clientBody(service, [])),
        clientBody(GRACE_PROBE, [`${PROBE_TARGET}:connect`]),
      ],
      webhook: { url: `http://${listen}/events/main`, secret: webhookSecret },
      clock: systemClock,
    });
    stops.push(() => idp.close());
    let stateDirectory = '';
    const daemon = await startScopemesh({
      listen,
      configuration: (state) => {
        stateDirectory = state.directory;
        const provider = {
          name: 'main',
          kind: 'oidc',
          // The same on all sides, for it is part of what decisions call the mapping's revision.
          issuer: 'http://127.0.0.1/history',
          directory: `${idp.issuer}/directory`,
          webhook: { secrets: [webhookSecret.reveal()] },
          poll: '6h',
          fullRead: '6h',
        };
        return stringify({
          ...MAPPING,
          ...servers.settings,
          consul: { address: gate.address, token: servers.aclToken },
          providers: [provider],
          http: { listen },
          state,
        });
      },
    });
    stops.push(() => daemon.dispose());
    await daemon.ready();
    const side: Side = {
      name,
      consul,
      gate,
      daemon,
      manage: (method, path, body) => manage(idp, method, path, body),
      quiet: () => quiet(daemon, gate),
      async end() {
        await daemon.stop();
        return servers.readDecisions(stateDirectory);
      },
      dispose,
    };
    await side.quiet();
    return side;
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** All services with their claims, and the protocols of those that speak HTTP. */
async function seed(consul: ConsulApi): Promise<void> {
  const put = async (path: string, body: unknown) => {
    const { status, text } = await consul.request('PUT', path, body);
    if (status !== 200) throw new Error(`${path} was answered ${status} ${text}`);
  };
  for (const name of HTTP_FROM_THE_START)
    await put('/v1/config', { Kind: 'service-defaults', Name: name, Protocol: 'http' });
  for (const service of [...SERVICES, GRACE_PROBE])
    await put('/v1/catalog/register', registrationOf(service, 1));
}

async function manage(idp: EmbeddedIdp, method: string, path: string, body?: unknown): Promise<number> {
  const answer = await fetch(idp.issuer + path, {
    method,
    headers: { authorization: `Bearer ${idp.managementToken.reveal()}` },
    signal: AbortSignal.timeout(10_000),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await answer.text();
  await idp.settled();
  return answer.status;
}

/** How often in a row nothing must be under way: between an answer and the job it leads to there is a moment. */
const LOOKS = 4;

async function quiet(daemon: Scopemesh, gate: ConsulGate): Promise<void> {
  let calm = 0;
  let activity = -1;
  let last: unknown;
  const look = async () => {
    const status = await daemon.status();
    const { queue, outboxDecisions } = status;
    last = status;
    const isCalm =
      queue.waiting + queue.delayed + queue.active + outboxDecisions + gate.underWay + gate.unread === 0 &&
      gate.activity === activity;
    activity = gate.activity;
    calm = isCalm ? calm + 1 : 0;
    return calm >= LOOKS;
  };
  await until('nothing is under way', look, { intervalMs: 3, process: daemon.process }).catch(
    (error: unknown) => {
      throw new Error(`not quiet, ${gate.unread} lists unread: ${JSON.stringify(last)}`, { cause: error });
    },
  );
}

async function readDecisions(directory: string): Promise<readonly Decision[]> {
  const log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: systemClock });
  const found: Decision[] = [];
  try {
    for await (const decision of log.read({ from: 'start', follow: false }, new AbortController().signal))
      found.push(decision);
  } finally {
    await log.close();
  }
  return found;
}
