import type { Delivery, ProviderWorld } from '../../conformance/provider-flow.js';
import { type Entra, READER, startEntra } from './entra.js';
import { notification } from './notifications.js';
import { shape } from './shapes.js';
import { guidOf } from './tenant.js';

const ROLES = ['orders:read', 'orders:write'];

/** A tenant with one API, whose app roles are the scopes. Graph tells of no client by events. */
export async function startEntraWorld(): Promise<ProviderWorld & { readonly entra: Entra }> {
  const entra = await startEntra();
  const names = new Map<string, string>();
  const held = new Map<string, readonly string[]>();
  const nameOf = (clientId: string) => names.get(clientId) ?? clientId;
  const setScopes = (name: string, scopes: readonly string[]) => {
    const before = held.get(name) ?? [];
    for (const role of before) if (!scopes.includes(role)) entra.unassignRole(name, 'orders', role);
    for (const role of scopes) if (!before.includes(role)) entra.assignRole(name, 'orders', role);
    held.set(name, scopes);
  };
  entra.addApi('orders', ROLES);
  return {
    entra,
    settings: {
      kind: 'entra',
      issuer: entra.issuer,
      graph: entra.origin,
      ...READER,
      apis: [guidOf('orders')],
    },
    async addClient(name, service, scopes) {
      names.set(guidOf(name), name);
      entra.addClient(name, { principal: { notes: `consul-services: ${service}` } });
      setScopes(name, scopes);
      return guidOf(name);
    },
    async setScopes(clientId, scopes) {
      setScopes(nameOf(clientId), scopes);
    },
    async setEnabled(clientId, accountEnabled) {
      entra.changePrincipal(nameOf(clientId), { accountEnabled });
    },
    async deleteClient(clientId) {
      entra.deleteClient(nameOf(clientId));
    },
    takeDeliveries: () => [],
    forge: (delivery) => delivery,
    stop: () => entra.close(),
  };
}

const STATE = 'client-state-0123456789';

/** The same, where each change of a client comes with one of a person, of whom Graph notifies. */
export async function startNotifyingEntraWorld(): Promise<ProviderWorld> {
  const world = await startEntraWorld();
  const { tenant } = world.entra;
  let deliveries: Delivery[] = [];
  let sent = 0;
  const notify = () => {
    const person = guidOf(`person-${sent++ % 50}`);
    tenant.put('users', shape('user', { id: person, accountEnabled: true }));
    const body = JSON.stringify({
      value: [notification({ resource: `Users/${person}`, clientState: STATE })],
    });
    deliveries.push({ headers: { 'content-type': 'application/json' }, body });
  };
  return {
    ...world,
    // Nobody answers there: this Graph sends without a subscription.
    settings: { ...world.settings, webhook: { url: 'http://127.0.0.1:9/events/main', secrets: [STATE] } },
    async setScopes(clientId, scopes) {
      await world.setScopes(clientId, scopes);
      notify();
    },
    async setEnabled(clientId, enabled) {
      await world.setEnabled(clientId, enabled);
      notify();
    },
    takeDeliveries() {
      const taken = deliveries;
      deliveries = [];
      return taken;
    },
    forge: ({ headers, body }) => ({ headers, body: body.replace(STATE, 'somebody') }),
  };
}
