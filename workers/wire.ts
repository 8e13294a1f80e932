import { type ChildProcess, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Config, ConsulSettings, ProviderSettings, WebhookSettings } from '../config/config.js';
import {
  type AdapterFactory,
  type DecisionLogSettings,
  type PeopleSettings,
  type Provider,
  TOPIC_PARTITIONS,
} from '../src/app/adapter-factory.js';
import { indexDirectory } from '../src/app/has-decision-log.js';
import type { Consul } from '../src/consul/consul.js';
import type { CallGate } from '../src/daemon/call-gate.js';
import type { LocalTrail } from '../src/daemon/questions.js';
import type { DecisionFeed } from '../src/decisions/feed.js';
import type { DecisionLog } from '../src/decisions/log.js';
import type { NoteSigner, NoteVerifier } from '../src/decisions/signed-note.js';
import { openSigningKey, trustedKeys, trustedProofs } from '../src/decisions/signing-key.js';
import type { TopicContent } from '../src/decisions/topic-content.js';
import type { Trail } from '../src/decisions/trail.js';
import type { TopicIndex } from '../src/decisions/update-topic-index.js';
import type { TrailFault } from '../src/decisions/verify-trail.js';
import type { WebhookSender } from '../src/decisions/webhook.js';
import { withBackoff } from '../src/identity/backoff.js';
import { withConcurrencyLimit } from '../src/identity/concurrency-limit.js';
import { withConfirmedLosses } from '../src/identity/confirmed-losses.js';
import type { ProviderParts } from '../src/identity/provider-parts.js';
import { createRequestBudget, type RequestBudget, withBulkReads } from '../src/identity/request-budget.js';
import { withSignals } from '../src/identity/with-signals.js';
import { definedFields } from '../src/model/defined-fields.js';
import { isOwnedDescription } from '../src/plan/ownership.js';
import type { Store } from '../src/queue/store-parts.js';
import type { Runtime } from '../src/runtime.js';

/** This file is the only place that names adapters. Each is loaded only if the configuration chooses it. */
export async function openConsul(
  settings: ConsulSettings,
  owner: string,
  runtime: Runtime,
  mayWrite?: () => boolean,
): Promise<Consul> {
  const read = (file: string | undefined) => (file === undefined ? undefined : readFile(file));
  const { tls } = settings;
  const [ca, cert, key] = await Promise.all([read(tls?.caFile), read(tls?.certFile), read(tls?.keyFile)]);
  const { createHttpConsul } = await import('../src/consul/http/http-consul.js');
  const consul = createHttpConsul({
    ...runtime,
    owner,
    mayWrite,
    address: settings.address,
    token: settings.token,
    datacenter: settings.datacenter,
    partition: settings.partition,
    namespace: settings.namespace,
    tls: tls && {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
    },
  });
  const { target } = settings;
  if (target === undefined) return consul;
  const { createCrdConsul } = await import('../src/consul/crd/crd-consul.js');
  return createCrdConsul(consul, {
    ...runtime,
    ...target,
    owner,
    mayWrite,
    consulPartition: settings.partition,
    consulNamespace: settings.namespace,
    isMarked: (description) => isOwnedDescription(owner, description),
  });
}

/** An adapter takes its provider's settings as they are. */
export async function openProvider(
  settings: ProviderSettings,
  { groups, http }: PeopleSettings,
  runtime: Runtime,
): Promise<Provider> {
  const wantsPeople =
    groups.some(({ provider }) => provider === undefined || provider === settings.name) ||
    http.console.login.some(({ provider }) => provider === settings.name);
  const budget = createRequestBudget({ ...runtime, provider: settings.name });
  const parts = await openParts(settings, wantsPeople, { ...runtime, budget });
  const confirmed = withConfirmedLosses(parts.directory, runtime);
  const directory = withConcurrencyLimit(withBulkReads(confirmed, budget), runtime.clock);
  const { ssf, name: provider, issuer, insecure, pollMs, caCert } = settings;
  const pausing = { settings, ...withBackoff({ ...parts, directory }, runtime.clock, pollMs) };
  if (ssf === undefined) return pausing;
  const { createSsf } = await import('../src/identity/ssf/ssf.js');
  // Outside of the backoff: a pause of the transmitter must not stop directory reads, and the reverse.
  return withSignals(
    pausing,
    createSsf({ ...ssf, ...runtime, provider, issuer, insecure, pollMs, ...definedFields({ caCert }) }),
  );
}

async function openParts(
  settings: ProviderSettings,
  wantsPeople: boolean,
  runtime: Runtime & { readonly budget: RequestBudget },
): Promise<ProviderParts> {
  const provider = settings.name;
  switch (settings.kind) {
    case 'auth0': {
      const { createAuth0 } = await import('../src/identity/auth0/auth0.js');
      return createAuth0({ ...settings, ...runtime, provider });
    }
    case 'entra': {
      const { createEntra } = await import('../src/identity/entra/entra.js');
      return createEntra({ ...settings, ...runtime, provider, wantsPeople });
    }
    case 'keycloak': {
      const { createKeycloak } = await import('../src/identity/keycloak/keycloak.js');
      return createKeycloak({ ...settings, ...runtime, provider });
    }
    case 'oidc': {
      const { createOidc } = await import('../src/identity/oidc/oidc.js');
      return createOidc({ ...settings, ...runtime, provider });
    }
    case 'okta': {
      const { createOkta } = await import('../src/identity/okta/okta.js');
      return createOkta({ ...settings, ...runtime, provider });
    }
  }
}

export async function openStore(config: Config, runtime: Runtime): Promise<Store> {
  if (config.queue.kind === 'embedded') {
    const { createEmbeddedStore } = await import('../src/queue/embedded/store.js');
    return createEmbeddedStore({ ...runtime, directory: config.state.directory });
  }
  const { createBullmqStore } = await import('../src/queue/bullmq/store.js');
  const { url, allowUnsafeRedis } = config.queue;
  return createBullmqStore({
    ...runtime,
    url,
    prefix: `scopemesh:${config.owner}`,
    allowUnsafe: allowUnsafeRedis,
  });
}

export async function openDecisionLog(
  config: DecisionLogSettings,
  runtime: Runtime,
  { mayCreateTopic }: Parameters<AdapterFactory['openDecisionLog']>[2] = { mayCreateTopic: false },
): Promise<DecisionLog> {
  const { decisions } = config;
  if (decisions.kind === 'embedded') {
    const { createEmbeddedDecisionLog } = await import('../src/decisions/embedded/embedded-decision-log.js');
    return createEmbeddedDecisionLog({
      ...runtime,
      directory: config.state.directory,
      keepMs: decisions.keepMs,
    });
  }
  const { createKafkaDecisionLog } = await import('../src/decisions/kafka/kafka-decision-log.js');
  return createKafkaDecisionLog({
    ...runtime,
    brokers: decisions.brokers,
    topic: decisions.topic,
    tls: decisions.tls,
    ...(decisions.sasl === undefined ? {} : { sasl: decisions.sasl }),
    clientId: `scopemesh-${config.owner}`,
    transactionalId: `scopemesh-${config.owner}`,
    // Those that may create the topic are those that write.
    ...(mayCreateTopic ? { createTopic: { partitions: TOPIC_PARTITIONS, replicationFactor: -1 } } : {}),
    timeoutMs: 10_000,
    proofs: trustedProofs(config.state.directory, decisions.trustedKeys),
  });
}

export async function openTrail(
  config: DecisionLogSettings,
  runtime: Runtime,
  { fromTopic, signal }: { readonly fromTopic: boolean; readonly signal: AbortSignal },
): Promise<Trail> {
  if (config.decisions.kind === 'embedded' || !fromTopic) {
    const { openEmbeddedTrail } = await import('../src/decisions/embedded/embedded-trail.js');
    return openEmbeddedTrail({ ...runtime, ...localTrail(config) });
  }
  const { copyTopic } = await import('../src/decisions/embedded/topic-copy.js');
  const log = await openDecisionLog(config, runtime);
  try {
    const verifiers = trustedKeys(config.state.directory, config.decisions.trustedKeys);
    return await copyTopic(log, { ...runtime, verifiers }, signal);
  } finally {
    await log.close();
  }
}

/** What many readers in this process follow. */
export async function openDecisionFeed(
  config: DecisionLogSettings,
  { clock }: Pick<Runtime, 'clock'>,
): Promise<DecisionFeed> {
  const { openDecisionFeed: open } = await import('../src/decisions/embedded/decision-feed.js');
  return open({ ...localTrail(config), clock });
}

/** The thread that answers questions to the local trail. Its memory is its own, and bounded. */
export function startQuestionThread(config: DecisionLogSettings, gate: CallGate): Worker {
  const options = {
    workerData: { ...localTrail(config), gate },
    resourceLimits: { maxOldGenerationSizeMb: 256 },
  };
  const { url } = import.meta;
  if (url.endsWith('.js')) return new Worker(new URL('./question-thread.js', url), options);
  // From the sources, in tests: a thread does not inherit what loads them.
  const thread = JSON.stringify(new URL('./question-thread.ts', url).href);
  const code = `import('tsx/esm/api').then(({ register }) => { register(); return import(${thread}); })`;
  return new Worker(code, { ...options, eval: true });
}

const COMMAND_MEMORY_MB = 512;
const COMMAND_TIME_MS = 1_800_000;

/** Runs a command with the configuration file of the daemon. On a busy machine, or one without memory, the daemon comes first. */
export function startCommand(configFile: string, args: readonly string[]): ChildProcess {
  const { url } = import.meta;
  const main = fileURLToPath(new URL(url.endsWith('.js') ? './main.js' : './main.ts', url));
  const child = fork(main, ['--config', configFile, ...args], {
    execArgv: [
      `--max-old-space-size=${COMMAND_MEMORY_MB}`,
      ...(url.endsWith('.js') ? [] : ['--import', 'tsx']),
    ],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    timeout: COMMAND_TIME_MS,
    killSignal: 'SIGKILL',
  });
  if (child.pid === undefined) return child;
  try {
    setPriority(child.pid, constants.priority.PRIORITY_LOW);
    writeFileSync(`/proc/${child.pid}/oom_score_adj`, '1000');
  } catch {
    // Elsewhere than on Linux, or where it may not: it then runs as the daemon does.
  }
  return child;
}

async function verifyTrail(
  config: DecisionLogSettings,
  verifiers: readonly NoteVerifier[],
  topic?: TopicContent,
): Promise<TrailFault | undefined> {
  const { verifyIndex } = await import('../src/decisions/embedded/verify-index.js');
  return verifyIndex(localTrail(config).directory, verifiers, topic);
}

function localTrail(config: DecisionLogSettings): LocalTrail {
  const isIndex = config.decisions.kind === 'kafka';
  return { directory: isIndex ? indexDirectory(config) : config.state.directory, isIndex };
}

/** A standby has not signed yet, and its public key is written with the key. */
function trustedOf(config: DecisionLogSettings, runtime: Runtime): readonly NoteVerifier[] {
  openSigner(config, runtime)();
  return trustedKeys(config.state.directory, config.decisions.trustedKeys);
}

/** The index of the topic, for the one process that writes it. Throws SyncError ERR_STATE_LOCKED in another one. */
export async function openTopicIndex(
  config: DecisionLogSettings,
  keepMs: number,
  runtime: Runtime,
): Promise<TopicIndex> {
  const { EmbeddedTopicIndex } = await import('../src/decisions/embedded/embedded-topic-index.js');
  const { lockDirectory } = await import('../src/queue/embedded/directory-lock.js');
  const directory = indexDirectory(config);
  const unlock = lockDirectory(directory);
  try {
    return new EmbeddedTopicIndex({
      ...runtime,
      directory,
      owner: config.owner,
      verifiers: trustedOf(config, runtime),
      keepMs,
      onClosed: unlock,
    });
  } catch (error) {
    unlock();
    throw error;
  }
}

export function openSigner(
  { owner, decisions, state }: DecisionLogSettings,
  { logger }: Pick<Runtime, 'logger'>,
): () => NoteSigner {
  const file = decisions.signingKeyFile;
  const open = () => openSigningKey({ owner, directory: state.directory, file, logger });
  let signer = file === undefined ? undefined : open();
  return () => {
    signer ??= open();
    return signer;
  };
}

export async function openWebhookSender(
  settings: WebhookSettings,
  { clock }: Pick<Runtime, 'clock'>,
): Promise<WebhookSender> {
  const { createWebhookSender } = await import('../src/decisions/http/webhook-sender.js');
  return createWebhookSender({ ...settings, clock });
}

async function copyState(directory: string, to: string): Promise<readonly string[]> {
  return (await import('../src/queue/embedded/copy-state.js')).copyState(directory, to);
}

export const adapters: AdapterFactory = {
  openConsul,
  openProvider,
  openStore,
  openDecisionLog,
  openTrail,
  verifyTrail,
  openSigner,
  openWebhookSender,
  copyState,
};
