import { sourcesAfter } from '../../src/apply/entry-sources.js';
import type { BreakGlass } from '../../src/model/break-glass.js';
import type { Catalog, CatalogService, ClaimRecord, Protocol } from '../../src/model/catalog.js';
import type { OAuthClient } from '../../src/model/client.js';
import type { IntentionEntry, IntentionSource, NewSource, ServiceName } from '../../src/model/intention.js';
import type { Mapping, Rule } from '../../src/model/rule.js';
import type { Deny } from '../../src/model/ruling.js';
import type { Evidence } from '../../src/model/trigger.js';
import type { DestinationInput } from '../../src/plan/destination-input.js';
import { NO_USER_TOKEN_FACTS, type UserTokenFacts } from '../../src/plan/destination-input.js';
import { toLastAppliedText } from '../../src/plan/last-applied.js';
import { type ClientOpenings, openingsOf } from '../../src/plan/openings.js';
import type { Change, Plan } from '../../src/plan/plan.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import {
  type ClaimSettings,
  type ClientBlock,
  clientText,
  type RememberedClaim,
  serviceText,
  type World,
} from '../../src/plan/world.js';
import { claimStatuses, sourcesByDestination } from './whole-world.js';

/** Everything a plan can see, in the form that is easiest to write down in a test. */
export interface Scene {
  readonly mapping: Mapping;
  readonly clients: readonly OAuthClient[];
  /** Providers whose directory was never read completely. */
  readonly unread: readonly string[];
  /** By `clientText`: clients of an unread directory. */
  readonly readAlone: ReadonlyMap<string, OAuthClient | undefined>;
  readonly services: readonly CatalogService[];
  readonly isCatalogRead: boolean;
  readonly protocols: ReadonlyMap<string, Protocol>;
  readonly entries: ReadonlyMap<string, IntentionEntry>;
  readonly records: readonly ClaimRecord[];
  readonly remembered: ReadonlyMap<string, RememberedClaim>;
  readonly clientBlocks: ReadonlyMap<string, ClientBlock>;
  readonly unreadable: ReadonlySet<string>;
  readonly written: ReadonlyMap<string, string>;
  /** Marked edges without a record; undefined: all that `written` lacks. */
  readonly unrecorded: ReadonlySet<string> | undefined;
  readonly evidence: readonly Evidence[];
  readonly grantReason: DestinationInput['grantReason'];
  readonly userTokens: UserTokenFacts;
  readonly breakGlass: readonly BreakGlass[];
  readonly denies: readonly Deny[];
  readonly now: number;
}

export const SETTINGS: ClaimSettings = {
  clientMeta: 'oauth-client-id',
  clientTag: 'oauth-client=',
  claimGraceMs: 300_000,
};

export const NOW = 1_800_000_000_000;

export function mapping(changes: Partial<Mapping> = {}): Mapping {
  return {
    owner: 'pay',
    mode: 'enforce',
    revision: 'sha256:test',
    providers: ['main'],
    rules: [],
    claims: 'confirmed',
    classify: [],
    limits: { human: { never: [] }, workload: { never: [] }, agent: { never: [] } },
    protectedServices: [],
    freezes: [],
    approvers: 1,
    acl: { login: false, firstLogin: false, providers: new Map(), groups: [] },
    maxRevocations: { percent: 20, atLeast: 10, windowMs: 600_000 },
    ...changes,
  };
}

export function rule(scope: string, to: string, changes: Partial<Rule> = {}): Rule {
  return { scope, to, userRequired: false, ...changes };
}

/** A workload of provider `main` that names the service of its own name. */
export function client(
  clientId: string,
  scopes: readonly string[],
  changes: Partial<OAuthClient> = {},
): OAuthClient {
  return {
    provider: 'main',
    clientId,
    enabled: true,
    grantTypes: ['client_credentials'],
    grants: scopes.map((name) => ({ name })),
    attributes: { 'consul-services': clientId },
    ...changes,
  };
}

export function named(name: string): ServiceName {
  return { partition: 'default', namespace: 'default', name };
}

export function keyOf(name: string): string {
  return serviceText(named(name));
}

/** One instance for each client id that the service claims; none for an empty list. */
export function claiming(name: string, ...clientIds: readonly string[]): CatalogService {
  return {
    name: named(name),
    instances: clientIds.map((clientId, index) => ({
      id: `${name}-${index}`,
      node: 'n1',
      kind: '',
      meta: clientId === '' ? {} : { 'oauth-client-id': clientId },
      tags: [],
    })),
  };
}

export function source(
  name: string,
  access: IntentionSource['access'],
  description = '',
  changes: Partial<IntentionSource> = {},
): IntentionSource {
  return {
    ...named(name),
    description,
    access,
    isLegacy: false,
    raw: { Name: name, Description: description },
    ...changes,
  };
}

export const ALLOW = { kind: 'allow' } as const;
export const DENY = { kind: 'deny' } as const;

export function ourSource(name: string, access: IntentionSource['access'], clientId = name): IntentionSource {
  return source(name, access, `scopemesh:pay client=main/${clientId}`);
}

export function entry(destination: string, ...sources: readonly IntentionSource[]): IntentionEntry {
  return { destination: named(destination), sources, meta: {}, modifyIndex: 7, raw: { Name: destination } };
}

export function entriesOf(...entries: readonly IntentionEntry[]): ReadonlyMap<string, IntentionEntry> {
  return new Map(entries.map((each) => [serviceText(each.destination), each]));
}

/** One client `web` with scope `orders` that opens `orders`, claimed by service `web`; nothing written yet. */
export function scene(changes: Partial<Scene> = {}): Scene {
  return {
    mapping: mapping({ rules: [rule('orders', 'orders')] }),
    clients: [client('web', ['orders'])],
    unread: [],
    readAlone: new Map(),
    services: [claiming('web', 'web')],
    isCatalogRead: true,
    protocols: new Map(),
    entries: new Map(),
    records: [],
    remembered: new Map(),
    clientBlocks: new Map(),
    unreadable: new Set(),
    written: new Map(),
    unrecorded: new Set(),
    evidence: [],
    grantReason: 'ScopeGranted',
    userTokens: NO_USER_TOKEN_FACTS,
    breakGlass: [],
    denies: [],
    now: NOW,
    ...changes,
  };
}

export function worldOf(scene: Scene): World {
  const directories = new Map(
    scene.mapping.providers
      .filter((provider) => !scene.unread.includes(provider))
      .map((provider) => [
        provider,
        new Map(
          scene.clients
            .filter((each) => each.provider === provider)
            .map((each): [string, OAuthClient] => [each.clientId, each]),
        ),
      ]),
  );
  const catalog: Catalog = {
    services: scene.services,
    protocols: scene.protocols,
    defaultProtocol: 'http',
  };
  return {
    directories,
    catalog: scene.isCatalogRead ? catalog : undefined,
    claimRecords: new Map(scene.records.map((record) => [clientText(record), record])),
    remembered: scene.remembered,
    clientBlocks: scene.clientBlocks,
    unreadable: scene.unreadable,
    unnamed: new Map(),
    readAlone: scene.readAlone,
    now: scene.now,
  };
}

/** The inputs of every destination that anything opens or that has an entry. */
export function inputsOf(scene: Scene): readonly DestinationInput[] {
  const world = worldOf(scene);
  const claims = claimStatuses(world, scene.mapping, SETTINGS);
  const openings = new Map(
    scene.clients.map((each): [string, ClientOpenings] => [
      clientText(each),
      openingsOf(each, scene.mapping),
    ]),
  );
  const sources = sourcesByDestination(claims, openings);
  const destinations = new Map([
    ...[...sources].map(([key, each]): [string, ServiceName] => [key, each.destination]),
    ...[...scene.entries].map(([key, each]): [string, ServiceName] => [key, each.destination]),
    ...[...scene.breakGlass, ...scene.denies.map(({ about }) => about)].map(
      ({ destination }): [string, ServiceName] => [keyOf(destination), named(destination)],
    ),
  ]);
  return [...destinations.values()].map((destination) => ({
    destination,
    mapping: scene.mapping,
    world,
    claimStatuses: claims,
    openings,
    sourcesByDestination: sources,
    entry: scene.entries.get(serviceText(destination)),
    wildcard: scene.entries.get(keyOf('*')),
    protocol: scene.protocols.get(destination.name) ?? 'http',
    userTokens: scene.userTokens,
    breakGlass: {
      grants: scene.breakGlass.filter((each) => each.destination === destination.name),
      now: scene.now,
    },
    denies: {
      rulings: scene.denies.filter(({ about }) => about.destination === destination.name),
      now: scene.now,
    },
    lastApplied: scene.written,
    unrecorded: scene.unrecorded,
    evidence: scene.evidence,
    openingReasons: new Map(),
    grantReason: scene.grantReason,
  }));
}

/** The plan of one destination; an empty one where nothing is about it. */
export function planOf(scene: Scene, destination = 'orders'): Plan {
  const input = inputsOf(scene).find((each) => each.destination.name === destination);
  if (input !== undefined) return planDestination(input);
  return {
    key: { kind: 'destination', partition: 'default', namespace: 'default', service: destination },
    changes: [],
    holds: [],
  };
}

export function plansOf(scene: Scene): readonly Plan[] {
  return inputsOf(scene).map(planDestination);
}

/** A tiny Consul: the entry after one change; the entry goes with its last source. */
export function entriesAfter(
  entries: ReadonlyMap<string, IntentionEntry>,
  destination: ServiceName,
  change: Change,
  owner: string,
): ReadonlyMap<string, IntentionEntry> {
  const key = serviceText(destination);
  const current = entries.get(key);
  const sources = sourcesAfter(current?.sources ?? [], [change], owner).map(toRead);
  const result = new Map(entries);
  if (sources.length === 0) result.delete(key);
  else
    result.set(key, {
      destination,
      sources,
      meta: current?.meta ?? {},
      modifyIndex: (current?.modifyIndex ?? 0) + 1,
      raw: current?.raw ?? {},
    });
  return result;
}

/** The scene after plans were carried out, with what scopemesh then remembers. */
export function sceneAfter(scene: Scene, plans: readonly Plan[]): Scene {
  let { entries } = scene;
  const written = new Map([...scene.written, ...plans.flatMap(({ records }) => [...(records ?? [])])]);
  for (const plan of plans) {
    if (plan.key.kind !== 'destination') continue;
    const { partition, namespace, service } = plan.key;
    for (const change of plan.changes) {
      entries = entriesAfter(entries, { partition, namespace, name: service }, change, scene.mapping.owner);
      written.set(change.subject, toLastAppliedText(change.after, change.opensBy));
    }
  }
  return { ...scene, entries, written };
}

function toRead(each: IntentionSource | NewSource): IntentionSource {
  return 'raw' in each ? each : { ...each, isLegacy: false, raw: { Name: each.name, writtenBy: 'us' } };
}
