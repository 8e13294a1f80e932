import type { Directory } from '../../../src/identity/directory.js';
import { HOOK_TYPES } from '../../../src/identity/okta/event-types.js';
import { createOkta, type OktaOptions } from '../../../src/identity/okta/okta.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import type { Delivery, ProviderWorld } from '../../conformance/provider-flow.js';
import { createMovableClock, type MovableClock } from '../movable-clock.js';
import { OktaServer } from './server.js';
import { shape } from './shapes.js';
import type { AppRecord, ServerRecord } from './state.js';

export const API = 'api://mesh';
export const HOOK_SECRET = 'hook-secret-0123456789';

/** An org whose reader sees everything, with one authorization server whose scopes count. */
export interface OktaWorld {
  readonly server: OktaServer;
  readonly mesh: ServerRecord;
  readonly clock: MovableClock;
  /** An app with a policy of its own that lets it have these scopes. */
  addClient(fields: Partial<Omit<AppRecord, 'id'>>, scopes: readonly string[], minutes?: number): AppRecord;
  setScopes(clientId: string, scopes: readonly string[]): void;
  scopesOf(clientId: string): readonly string[];
  app(clientId: string): AppRecord;
  /** The adapter over this org. */
  open(options?: Partial<OktaOptions>): ReturnType<typeof createOkta>;
  /** Closes every directory that was opened too. */
  stop(): Promise<void>;
}

export async function startOktaWorld(): Promise<OktaWorld> {
  const clock = createMovableClock();
  const server = await new OktaServer(() => clock.now()).start();
  const mesh = server.org.addServer(API);
  const rules = new Map<string, string>();
  const opened: Directory[] = [];
  const setScopes = (clientId: string, scopes: readonly string[]) => {
    for (const scope of scopes) server.org.addScope(mesh.id, scope);
    server.org.changeRule(mesh.id, rules.get(clientId) ?? '', { scopes });
  };
  return {
    server,
    mesh,
    clock,
    addClient(fields, scopes, lifetimeMinutes = 60) {
      const app = server.org.addApp(fields);
      const clientId = app.clientId ?? '';
      for (const scope of scopes) server.org.addScope(mesh.id, scope);
      const policy = server.org.addPolicy(mesh.id, [clientId]);
      rules.set(clientId, server.org.addRule(mesh.id, policy, { scopes, lifetimeMinutes }));
      return app;
    },
    setScopes,
    scopesOf: (clientId) =>
      mesh.policies
        .flatMap((policy) => policy.rules)
        .filter((rule) => rule.id === rules.get(clientId))
        .flatMap((rule) => rule.scopes),
    app(clientId) {
      const app = server.org.shown.apps.find((each) => each.clientId === clientId);
      if (app === undefined) throw new Error(`no client ${clientId}`);
      return app;
    },
    open(options = {}) {
      const parts = createOkta({
        provider: 'main',
        issuer: server.issuer,
        credentials: server.credentials,
        apis: [API],
        webhookSecrets: [new Secret(HOOK_SECRET)],
        clock,
        metrics: noMetrics,
        logger: silentLogger,
        ...options,
      });
      opened.push(parts.directory);
      return parts;
    },
    async stop() {
      for (const directory of opened) await directory.close();
      await server.stop();
    },
  };
}

/** The keys in scopemesh.yaml of the provider that reads this org. */
export function settingsOf({ server }: OktaWorld): Readonly<Record<string, unknown>> {
  return {
    kind: 'okta',
    issuer: server.issuer,
    clientId: server.reader.id,
    privateKey: server.jwk,
    apis: [API],
    webhook: { secrets: [HOOK_SECRET] },
  };
}

/** The same org as the suite of all providers changes it, with what its event hook would send. */
export async function startOktaProviderWorld(): Promise<ProviderWorld> {
  const world = await startOktaWorld();
  const { org } = world.server;
  let deliveries: Delivery[] = [];
  org.listeners.add((event) => {
    if (!HOOK_TYPES.includes(event.eventType)) return;
    deliveries.push({
      headers: { 'content-type': 'application/json', authorization: HOOK_SECRET },
      body: JSON.stringify(shape('event-hook', { data: { events: [event] } })),
    });
  });
  return {
    settings: settingsOf(world),
    async addClient(name, service, scopes) {
      return world.addClient({ label: name, profile: { 'consul-services': service } }, scopes).id;
    },
    async setScopes(clientId, scopes) {
      world.setScopes(clientId, scopes);
    },
    async setEnabled(clientId, enabled) {
      org.setStatus(world.app(clientId).id, enabled ? 'ACTIVE' : 'INACTIVE');
    },
    async deleteClient(clientId) {
      org.deleteApp(world.app(clientId).id);
    },
    takeDeliveries() {
      const taken = deliveries;
      deliveries = [];
      return taken;
    },
    forge: ({ headers, body }) => ({ headers: { ...headers, authorization: 'somebody' }, body }),
    stop: () => world.stop(),
  };
}
