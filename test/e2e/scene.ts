import { parse, stringify } from 'yaml';
import { connectKeycloak } from '../stack/connect-keycloak.js';
import { freePort } from '../stack/ports.js';
import { type Stack, startStack } from '../stack/stack.js';
import { type DecisionTopic, openDecisionTopic } from './decision-topic.js';
import { type FaultProxy, startFaultProxy } from './fault-proxy.js';
import { type RecordingProxy, startRecordingProxy } from './recording-proxy.js';
import { type Scopemesh, startScopemesh } from './scopemesh.js';

/** What a test wants otherwise than the stack's configuration has it. */
export interface DaemonOptions {
  /** Over the provider's settings. */
  readonly provider?: Readonly<Record<string, unknown>>;
  /** Over the top level of the configuration. */
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** False: the daemon talks to Consul and Keycloak themselves, as when time is measured. */
  readonly proxies?: boolean;
}

/** All real servers, the proxies before Consul and Keycloak, and the real daemon between them. */
export interface Scene {
  readonly stack: Stack;
  readonly consulWrites: RecordingProxy;
  readonly keycloakFaults: FaultProxy;
  readonly topic: DecisionTopic;
  /** Starts the daemon, with the scene's own state; one at a time. Resolves once it is ready. */
  startDaemon(options?: DaemonOptions): Promise<Scopemesh>;
  /** Also the daemon. Repeating is safe. */
  stop(): Promise<void>;
}

export async function startScene(): Promise<Scene> {
  const listen = `127.0.0.1:${await freePort()}`;
  const stack = await startStack({ intake: listen, keycloak: connectKeycloak });
  const stops: (() => Promise<void>)[] = [() => stack.stop()];
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one().catch(() => {});
  };
  try {
    const consulWrites = await startRecordingProxy(stack.consul.httpAddress);
    stops.push(() => consulWrites.stop());
    const keycloakFaults = await startFaultProxy(stack.keycloak.address);
    stops.push(() => keycloakFaults.stop());
    const toConfiguration = (options: DaemonOptions) => (state: { directory: string }) => {
      const file = parse(stack.configuration(state));
      const [provider] = file.providers;
      if (options.proxies !== false) {
        file.consul.address = consulWrites.address;
        provider.issuer = `${keycloakFaults.address}/realms/${stack.realm}`;
      }
      Object.assign(provider, options.provider);
      return stringify({ ...file, ...options.configuration });
    };
    return {
      stack,
      consulWrites,
      keycloakFaults,
      topic: openDecisionTopic(stack.kafka.broker, stack.topic),
      async startDaemon(options = {}) {
        const daemon = await startScopemesh({ listen, configuration: toConfiguration(options) });
        stops.push(() => daemon.dispose());
        await daemon.ready();
        return daemon;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
