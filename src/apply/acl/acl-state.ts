import type { AclCacheSeconds, ConsulFacts } from '../../consul/consul.js';
import type { Members } from '../../identity/directory.js';
import type { Mapping } from '../../model/rule.js';
import { type AclRules, createRulesParser } from '../../plan/acl/rules-text.js';
import { createPatternCompiler, type PatternCompiler } from '../../plan/pattern.js';
import type { KeyValueStore } from '../../queue/key-value-store.js';
import { AclCache } from '../../state/acl-cache.js';
import { AclOwners } from '../../state/acl-owners.js';
import { KeyedMutex } from '../../state/mutex.js';
import { KeyFetches } from './key-fetches.js';

const FACT = 'acl/written';
const AGENT_CACHE_MS = 60_000;

/** What this process knows of Consul's ACL objects, and whether it has to look at them at all. */
export class AclState {
  readonly cache: AclCache;
  readonly owners: AclOwners;
  readonly keyFetches = new KeyFetches();
  /**
   * Keys whose job has planned and not ended: what stands is about to change by a plan from before, so that whoever
   * compares now cannot tell from what stands that nothing is to do.
   */
  readonly #underWay = new Set<string>();
  /** Keys with a write whose answer was lost, and until when its request may still reach Consul. */
  readonly #onTheirWay = new Map<string, number>();
  /** Providers whose last complete read could not be compared with what stands. */
  readonly uncompared = new Set<string>();
  /** By `clientText`: clients that gain something and whose ACL objects come first; their intentions wait meanwhile. */
  readonly opening = new Set<string>();
  /** Policies are shared: one job after the other makes or deletes each. By name, in lower case. */
  readonly policyMutex = new KeyedMutex();
  /** Of all groups that the mapping named when they were last read, by provider. */
  readonly members = new Map<string, Members>();
  /** Names under which people's objects stand, by provider, as of a version of the cache. */
  readonly peoplesNames = new Map<string, { readonly version: number; readonly names: readonly string[] }>();
  /** Providers whose people have something, as of a version of the cache. */
  peoplesProviders: { readonly version: number; readonly providers: ReadonlySet<string> } | undefined;
  /** What the mass guard counts of each provider's people, as of what it follows from. */
  readonly peoplesCounts = new Map<
    string,
    { readonly follows: readonly unknown[]; readonly owned: number; readonly inferred: readonly string[] }
  >();
  #parse = createRulesParser();
  #compile = createPatternCompiler();
  #mapping: Mapping | undefined;
  /** Objects of ours may stand, for this instance wrote some. */
  #mayHaveObjects = false;
  #agentCache: { readonly at: number; readonly seconds: AclCacheSeconds | undefined } | undefined;

  constructor(onFirstRoles?: ConstructorParameters<typeof AclCache>[0]) {
    this.cache = new AclCache(onFirstRoles);
    this.owners = new AclOwners(this.cache);
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
    this.#onTheirWay.set(key, Math.max(untilMs, this.#onTheirWay.get(key) ?? 0));
  }

  /** How much longer a request for the key's objects may be on its way to Consul; 0 if none is. */
  onItsWayMs(key: string, nowMs: number): number {
    return Math.max(0, (this.#onTheirWay.get(key) ?? 0) - nowMs);
  }

  /** Whether the key's objects must be read: a late request may have changed them. Call it at each read. */
  isDoubtful(key: string, nowMs: number): boolean {
    const isKnown = this.#onTheirWay.has(key);
    if (isKnown && this.onItsWayMs(key, nowMs) === 0) this.#onTheirWay.delete(key);
    return isKnown;
  }

  get mayHaveObjects(): boolean {
    return this.#mayHaveObjects;
  }

  async restore(keyValues: Pick<KeyValueStore, 'get'>): Promise<void> {
    this.#mayHaveObjects = (await keyValues.get(FACT)) === 'yes';
  }

  /** Before the first write, so that whatever is written is found and cleaned up later. */
  async noteWrite(keyValues: Pick<KeyValueStore, 'set'>): Promise<void> {
    if (this.#mayHaveObjects) return;
    await keyValues.set(FACT, 'yes');
    this.#mayHaveObjects = true;
  }

  /** After a complete read that found nothing of ours. */
  async noteNoObjects(keyValues: Pick<KeyValueStore, 'set'>): Promise<void> {
    if (!this.#mayHaveObjects) return;
    await keyValues.set(FACT, '');
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

  /** How long agents keep what they know, asked for at most once a minute; undefined where it cannot be read. */
  async agentCache(inspect: () => Promise<ConsulFacts>, now: number): Promise<AclCacheSeconds | undefined> {
    if (this.#agentCache === undefined || now - this.#agentCache.at > AGENT_CACHE_MS) {
      const { aclCache } = await inspect().catch(() => ({ aclCache: undefined }));
      this.#agentCache = { at: now, seconds: aclCache };
    }
    return this.#agentCache.seconds;
  }
}

/** Whether the mapping gives anybody a token of Consul's. */
export function isAclWanted(mapping: Pick<Mapping, 'rules' | 'acl'>): boolean {
  return (
    mapping.acl.login || mapping.acl.groups.length > 0 || mapping.rules.some((rule) => rule.acl !== undefined)
  );
}

/** Whether ACL objects are to be read: some are wanted, or some that were written may still stand. */
export function isAclActive(deps: {
  readonly acl: AclState;
  readonly world: { readonly mapping: Mapping };
}): boolean {
  return isAclWanted(deps.world.mapping) || deps.acl.mayHaveObjects;
}
