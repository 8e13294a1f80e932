import { createRandom, type Random } from './random.js';
import { CALLERS, clientOf, GRANTABLE, SERVICES } from './world.js';

/** What a hand made source lets through. */
export type HandMade = 'allow' | 'deny' | 'http';

/** One change of either side of scopemesh, made without it. `nth` picks among what exists, by name. */
export type Change =
  | { readonly kind: 'grant' | 'revoke'; readonly client: string; readonly scope: string }
  | { readonly kind: 'disable' | 'enable' | 'delete' | 'compromise' | 'rotate'; readonly client: string }
  | { readonly kind: 'create'; readonly service: string; readonly scopes: readonly string[] }
  | {
      readonly kind: 'attribute';
      readonly client: string;
      readonly name: string;
      readonly value: string | null;
    }
  | {
      readonly kind: 'register';
      readonly service: string;
      readonly instance: number;
      readonly claim: string | null;
      readonly asTag: boolean;
    }
  | {
      readonly kind: 'deregister';
      readonly service: string;
      readonly instance: number;
      /** No other instance is left: the claim ends with its grace. */
      readonly isLast: boolean;
    }
  | { readonly kind: 'drift'; readonly form: 'flip' | 'remove' | 'unmark' | 'widen'; readonly nth: number }
  | {
      readonly kind: 'foreign';
      readonly destination: string;
      readonly source: string;
      readonly form: HandMade | 'gone';
    }
  | { readonly kind: 'tidy'; readonly nth: number }
  | { readonly kind: 'managed'; readonly nth: number; readonly isOn: boolean }
  | { readonly kind: 'protocol'; readonly service: string; readonly protocol: string };

const WEIGHTS = {
  grant: 90,
  revoke: 70,
  enabled: 40,
  existence: 28,
  secret: 16,
  confirmation: 24,
  actor: 16,
  instances: 55,
  claim: 30,
  drift: 40,
  foreign: 40,
  wildcard: 22,
  tidy: 24,
  managed: 16,
  protocol: 34,
};

interface Client {
  exists: boolean;
  isEnabled: boolean;
  isCompromised: boolean;
  readonly scopes: Set<string>;
  services: string | null;
  isAgent: boolean;
}

/** A history of changes that mostly matter: what is granted is revoked, what was deleted comes again. */
export function historyOf(seed: number, count: number): readonly Change[] {
  const random = createRandom(seed);
  const clients = new Map(CALLERS.map((service) => [service, newClient(service)]));
  const instances = new Map(SERVICES.map((service) => [service, new Set([1])]));
  return Array.from({ length: count }, () => next(random, clients, instances));
}

function newClient(service: string): Client {
  return {
    exists: true,
    isEnabled: true,
    isCompromised: false,
    scopes: new Set(),
    services: service,
    isAgent: false,
  };
}

function next(
  random: Random,
  clients: Map<string, Client>,
  instances: ReadonlyMap<string, Set<number>>,
): Change {
  const what = random.weighted(WEIGHTS);
  switch (what) {
    case 'instances':
    case 'claim':
      return registration(what === 'claim', random, instances);
    case 'drift':
      return {
        kind: 'drift',
        form: random.weighted({ flip: 4, remove: 4, widen: 3, unmark: 2 }),
        // Often the same one, so that it comes to be contended.
        nth: random.chance(40) ? 0 : random.below(1000),
      };
    case 'foreign':
      return {
        kind: 'foreign',
        destination: random.pick(SERVICES),
        // A stranger's source beside ours, one that takes a name of ours, and one for all.
        source: random.pick(['nightly-batch', 'auditor', '*', random.pick(CALLERS), random.pick(CALLERS)]),
        form: random.weighted({ allow: 2, deny: 2, http: 2, gone: 3 }),
      };
    case 'wildcard':
      return {
        kind: 'foreign',
        destination: '*',
        source: random.pick(['*', '*', random.pick(CALLERS)]),
        form: random.weighted({ allow: 3, deny: 2, http: 1, gone: 7 }),
      };
    case 'tidy':
      return { kind: 'tidy', nth: random.below(1000) };
    case 'managed':
      return { kind: 'managed', nth: random.below(1000), isOn: random.chance(50) };
    case 'protocol':
      return {
        kind: 'protocol',
        service: random.pick(SERVICES),
        protocol: random.pick(['http', 'http', 'grpc', 'tcp', 'tcp']),
      };
    default:
      return ofClient(what, random, clients);
  }
}

function registration(isClaim: boolean, random: Random, instances: ReadonlyMap<string, Set<number>>): Change {
  const service = random.pick(isClaim || random.chance(80) ? CALLERS : SERVICES);
  const own = CALLERS.includes(service) ? clientOf(service) : null;
  const present = instances.get(service) ?? new Set();
  const asTag = random.chance(30);
  const instance = random.chance(70) ? 1 : 2;
  // The end of a grace takes its time.
  const wouldLeaveNone = present.size === 1 && present.has(instance) && random.chance(75);
  if ((isClaim && present.size > 0) || wouldLeaveNone) {
    // Nothing, its own, or what belongs to another: the last two instances may then disagree.
    const claim = random.pick([own, own, own, own, null, clientOf(random.pick(CALLERS))]);
    return { kind: 'register', service, instance: random.pick([...present]), claim, asTag };
  }
  if (!present.has(instance)) {
    present.add(instance);
    return { kind: 'register', service, instance, claim: own, asTag };
  }
  present.delete(instance);
  return { kind: 'deregister', service, instance, isLast: present.size === 0 };
}

function ofClient(
  what: 'grant' | 'revoke' | 'enabled' | 'existence' | 'secret' | 'confirmation' | 'actor',
  random: Random,
  clients: Map<string, Client>,
): Change {
  const service = random.pick(CALLERS);
  const client = clients.get(service) ?? newClient(service);
  const clientId = clientOf(service);
  if (!client.exists || (what === 'existence' && random.chance(50))) {
    if (client.exists) {
      client.exists = false;
      return { kind: 'delete', client: clientId };
    }
    const scopes = GRANTABLE.filter(() => random.chance(40));
    clients.set(service, { ...newClient(service), scopes: new Set(scopes) });
    return { kind: 'create', service, scopes };
  }
  // Nothing comes of a client that stays closed, so it mostly opens again soon.
  if (client.isCompromised && random.chance(35)) {
    client.isCompromised = false;
    return { kind: 'rotate', client: clientId };
  }
  if (client.services !== service && random.chance(35)) {
    client.services = service;
    return { kind: 'attribute', client: clientId, name: 'consul-services', value: service };
  }
  if (!client.isEnabled && random.chance(35)) {
    client.isEnabled = true;
    return { kind: 'enable', client: clientId };
  }
  switch (what) {
    case 'revoke':
      if (client.scopes.size > 0) {
        const scope = random.pick([...client.scopes].sort());
        client.scopes.delete(scope);
        return { kind: 'revoke', client: clientId, scope };
      }
      break;
    case 'enabled':
      client.isEnabled = !client.isEnabled;
      return { kind: client.isEnabled ? 'enable' : 'disable', client: clientId };
    case 'secret':
      client.isCompromised = !client.isCompromised;
      return { kind: client.isCompromised ? 'compromise' : 'rotate', client: clientId };
    case 'confirmation': {
      const value = random.pick([service, service, null, `${service}, ${random.pick(SERVICES)}`]);
      client.services = client.services === service ? value : service;
      return { kind: 'attribute', client: clientId, name: 'consul-services', value: client.services };
    }
    case 'actor':
      client.isAgent = !client.isAgent;
      return { kind: 'attribute', client: clientId, name: 'actor', value: client.isAgent ? 'agent' : null };
    case 'grant':
    case 'existence':
      break;
  }
  const missing = GRANTABLE.filter((scope) => !client.scopes.has(scope));
  const scope = random.pick(missing.length === 0 ? GRANTABLE : missing);
  client.scopes.add(scope);
  return { kind: 'grant', client: clientId, scope };
}
