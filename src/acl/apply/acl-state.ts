import type { AclCacheSeconds, ConsulFacts } from '../../consul/consul.js';
import type { DefaultPolicy } from '../../model/intention.js';
import type { Members } from '../../model/members.js';
import type { AgentCache } from '../../model/residual.js';
import type { Mapping } from '../../model/rule.js';
import { createPatternCompiler, type PatternCompiler } from '../../plan/pattern.js';
import type { KeyValueStore } from '../../queue/key-value-store.js';
import { KeyedMutex } from '../../state/mutex.js';
import { type AclRules, createRulesParser } from '../plan/rules-text.js';
import { AclCache } from '../state/acl-cache.js';
import { AclOwners } from '../state/acl-owners.js';
import { KeyFetches } from './key-fetches.js';

const NAME = 'acl/written';
const AGENT_CACHE_MS = 60_000;

/** What this process knows about Consul's ACL objects, and whether it must read them at all. */
export class AclState {
  readonly cache: AclCache;
  readonly owners: AclOwners;
  readonly keyFetches = new KeyFetches();
  /**
   * Keys whose job has planned and not ended. Their objects are about to change by an earlier plan, so a comparison with
   * the present objects cannot find that there is nothing to do.
   */
  readonly #underWay = new Set<string>();
  /** Keys with a write whose answer was lost, and until when its request may still reach Consul. */
  readonly #inFlight = new Map<string, number>();
  /** Providers whose last complete read could not be compared with the existing objects. */
  readonly uncompared = new Set<string>();
  /** By `clientText`: clients that gain access and whose intentions wait for their ACL objects. */
  readonly opening = new Set<string>();
  /** By name, in lower case: clients share policies, so only one job at a time creates or deletes one. */
  readonly policyMutex = new KeyedMutex();
  /** By lower-case name: a client's job and the complete comparison may remove the same objects, one after the other. */
  readonly objectsMutex = new KeyedMutex();
  /** By provider: the members of all groups that the mapping named at the last read. */
  readonly members = new Map<string, Members>();
  /** By provider, group and subject: since when it is known that a person with access left. The last read counts. */
  readonly left = new Map<string, ReadonlyMap<string, ReadonlyMap<string, number>>>();
  /** By provider: the names of people's objects, at a version of the cache. */
  readonly peoplesNames = new Map<string, { readonly version: number; readonly names: readonly string[] }>();
  /** Providers with objects of people, at a version of the cache. */
  peoplesProviders: { readonly version: number; readonly providers: ReadonlySet<string> } | undefined;
  /** What the mass guard counts for each provider's people, and the inputs of the count. */
  readonly peoplesCounts = new Map<
    string,
    { readonly follows: readonly unknown[]; readonly owned: number; readonly inferred: readonly string[] }
  >();
  /** Of the mesh, as last read; undefined until then. */
  defaultPolicy: DefaultPolicy | undefined;
  /** Whether this process warned of clients that gain a login before a registration. */
  hasWarnedOfFirstLogins = false;
  #parse = createRulesParser();
  #compile = createPatternCompiler();
  #mapping: Mapping | undefined;
  /** This instance wrote objects that may still exist. */
  #mayHaveObjects = false;
  #agentCache: { readonly at: number; readonly seconds: AclCacheSeconds | undefined } | undefined;

  constructor(onFirstRoles?: ConstructorParameters<typeof AclCache>[0]) {
    this.cache = new AclCache(onFirstRoles);
    this.owners = new AclOwners(this.cache);
  }

  get underWay(): ReadonlySet<string> {
    return this.#underWay;
  }

  isUnderWay(key: string): boolean {
    return this.#underWay.has(key);
  }

  async whileUnderWay<T>(key: string, work: () => Promise<T>): Promise<T> {
    this.#underWay.add(key);
    try {
      return await work();
    } finally {
      this.#underWay.delete(key);
    }
  }

  /** ACL objects have no compare-and-set: a request that arrives late undoes what was written since. */
  noteOnItsWay(key: string, untilMs: number): void {
    this.#inFlight.set(key, Math.max(untilMs, this.#inFlight.get(key) ?? 0));
  }

  /** How much longer a request for the key's objects may be on its way to Consul; 0 if none is. */
  inFlightMs(key: string, nowMs: number): number {
    return Math.max(0, (this.#inFlight.get(key) ?? 0) - nowMs);
  }

  /** Whether the key's objects must be read: a late request may have changed them. Call it at each read. */
  isDoubtful(key: string, nowMs: number): boolean {
    const isKnown = this.#inFlight.has(key);
    if (isKnown && this.inFlightMs(key, nowMs) === 0) this.#inFlight.delete(key);
    return isKnown;
  }

  get mayHaveObjects(): boolean {
    return this.#mayHaveObjects;
  }

  async restore(keyValues: Pick<KeyValueStore, 'get'>): Promise<void> {
    this.#mayHaveObjects = (await keyValues.get(NAME)) === 'yes';
  }

  /** Call it before the first write, so that every written object is cleaned up later. */
  async noteWrite(keyValues: Pick<KeyValueStore, 'set'>): Promise<void> {
    if (this.#mayHaveObjects) return;
    await keyValues.set(NAME, 'yes');
    this.#mayHaveObjects = true;
  }

  /** Call it after a complete read that found no object of ours. */
  async noteNoObjects(keyValues: Pick<KeyValueStore, 'set'>): Promise<void> {
    if (!this.#mayHaveObjects) return;
    await keyValues.set(NAME, '');
    this.#mayHaveObjects = false;
  }

  /** Compiled once for each mapping. */
  tools(mapping: Mapping): { readonly parse: (text: string) => AclRules; readonly compile: PatternCompiler } {
    if (this.#mapping !== mapping) {
      this.#mapping = mapping;
      this.#parse = createRulesParser();
      this.#compile = createPatternCompiler();
    }
    return { parse: this.#parse, compile: this.#compile };
  }

  /** How long agents cache tokens, read at most once a minute; undefined if it cannot be read. */
  async agentCache(inspect: () => Promise<ConsulFacts>, now: number): Promise<AclCacheSeconds | undefined> {
    if (this.#agentCache === undefined || now - this.#agentCache.at > AGENT_CACHE_MS) {
      const { aclCache } = await inspect().catch(() => ({ aclCache: undefined }));
      this.noteAgentCache(aclCache, now);
    }
    return this.#agentCache?.seconds;
  }

  noteAgentCache(seconds: AclCacheSeconds | undefined, now: number): void {
    this.#agentCache = { at: now, seconds };
  }

  /** What was read last, so that no write waits for it. */
  get knownAgentCache(): AgentCache | undefined {
    const seconds = this.#agentCache?.seconds;
    if (seconds === undefined) return undefined;
    const { role, policy, token } = seconds;
    return {
      roleSeconds: Math.max(role, 0),
      policySeconds: Math.max(policy, 0),
      tokenSeconds: Math.max(token, 0),
    };
  }
}

/** Whether the mapping gives a client or a person a Consul token. */
export function needsAclObjects(mapping: Pick<Mapping, 'rules' | 'acl'>): boolean {
  return (
    mapping.acl.login || mapping.acl.groups.length > 0 || mapping.rules.some((rule) => rule.acl !== undefined)
  );
}

/** Whether ACL objects must be read: the mapping wants some, or some that were written may still exist. */
export function isAclActive(deps: {
  readonly acl: AclState;
  readonly world: { readonly mapping: Mapping };
}): boolean {
  return needsAclObjects(deps.world.mapping) || deps.acl.mayHaveObjects;
}
