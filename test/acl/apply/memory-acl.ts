import { AclState } from '../../../src/acl/apply/acl-state.js';
import type { AclApplication } from '../../../src/acl/apply/apply-acl.js';
import type { AclDeps } from '../../../src/acl/apply/deps.js';
import { type AclChange, nameOf } from '../../../src/acl/plan/acl-change.js';
import { createSteps } from '../../../src/acl/plan/acl-steps.js';
import type { AclObjects } from '../../../src/consul/acl.js';
import type { AclCacheSeconds } from '../../../src/consul/consul.js';
import { SyncError } from '../../../src/errors.js';
import type {
  AclAuthMethod,
  AclBindingRule,
  AclObject,
  AclPolicy,
  AclSnapshot,
  AclToken,
  Stored,
} from '../../../src/model/acl.js';
import type { ChangeReason } from '../../../src/model/decision.js';
import type { Labels } from '../../../src/observe.js';
import { applyRig, CAUSE } from '../../apply/apply-rig.js';
import { mapping, NOW } from '../../plan/scene.js';

export const KEY = 'client/main/web';
export const WEB = 'scopemesh-pay-main-web';
export const POLICY = 'scopemesh-pay-_rules-1';
const MARK = 'scopemesh:pay client=main/web';

type Kind<K extends AclObject['kind']> = Extract<AclObject, { kind: K }>;

export const policy = (changes: Partial<AclPolicy> = {}): Kind<'acl-policy'> => ({
  kind: 'acl-policy',
  object: { name: POLICY, description: 'scopemesh:pay', rules: '{"key":{}}', ...changes },
});

export const role = (...policies: readonly string[]): Kind<'acl-role'> => ({
  kind: 'acl-role',
  object: { name: WEB, description: MARK, policies, serviceIdentities: [] },
});

export const method = (changes: Partial<AclAuthMethod> = {}): Kind<'acl-auth-method'> => ({
  kind: 'acl-auth-method',
  object: {
    name: WEB,
    description: MARK,
    maxTokenTtlSeconds: 600,
    config: {
      boundAudiences: ['consul'],
      signingAlgorithms: ['RS256'],
      claimMappings: {},
      listClaimMappings: {},
    },
    ...changes,
  },
});

export const rule = (changes: Partial<AclBindingRule> = {}): Kind<'acl-binding-rule'> => ({
  kind: 'acl-binding-rule',
  object: {
    description: MARK,
    authMethod: WEB,
    bindType: 'role',
    bindName: WEB,
    selector: 'value.client_id == "web"',
    ...changes,
  },
});

/** A token of a login by the client's method, good for ten minutes. */
export const aclToken = (accessorId: string, changes: Partial<AclToken> = {}): AclToken => ({
  accessorId,
  description: '',
  policies: [],
  isManagement: false,
  roles: [WEB],
  serviceIdentities: [],
  nodeIdentities: [],
  templatedPolicies: [],
  authMethod: WEB,
  isLocal: true,
  createdAt: new Date(NOW - 60_000).toISOString(),
  expiresAt: new Date(NOW + 540_000).toISOString(),
  ...changes,
});

/** The steps of a plan for the client, all for one reason. */
export const stepsFor = (reason: ChangeReason, lastApplied: ReadonlyMap<string, string> = new Map()) =>
  createSteps({
    lastApplied,
    why: () => ({
      reason,
      isInferred: false,
      client: { provider: 'main', clientId: 'web', actorKind: 'workload' },
      scopes: ['config:read'],
    }),
  });

export const gain = stepsFor('ScopeGranted');
export const loss = stepsFor('ScopeRevoked');
export const narrowRole = () => loss.update(`acl-role-${WEB}`, role(), role(POLICY).object, 'narrows');
export const removePolicy = () => loss.remove(`acl-policy-${POLICY}`, policy(), 'neither');

const isSameName = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

export const idOf = (object: AclObject) =>
  object.kind === 'acl-auth-method' ? object.object.name : `${object.kind}-${nameOf(object).join('/')}`;

export const failed = (code: SyncError['code'], message = 'no') =>
  new SyncError(code, message, { retriable: true });

export function application(
  changes: readonly AclChange[],
  more: Partial<AclApplication> = {},
): AclApplication {
  return { key: KEY, changes, cause: CAUSE, lastApplied: new Map(), ...more };
}

/** The ACL objects and live tokens of one Consul, in memory. `log` is what came to it and to the journal, in order. */
export function memoryAcl() {
  const rig = applyRig();
  const { log } = rig;
  const objects = new Map<string, AclObject>();
  const warnings: string[] = [];
  const corrected: string[] = [];
  const stored = new Map<string, string>();
  let index = 100;
  const self = {
    nowMs: NOW,
    tokens: [] as AclToken[],
    /** Called before each request with the line that `log` gets; what it throws is Consul's answer. */
    before: async (_line: string): Promise<void> => {},
    agentCache: { role: 30, policy: 20, token: 10 } as AclCacheSeconds | undefined,
    inspections: 0,
    reads: 0,
  };
  const request = async (line: string, signal: AbortSignal) => {
    log.push(line);
    signal.throwIfAborted();
    await self.before(line);
  };
  const storedOf = <T>(object: AclObject, of: T): Stored<T> => ({
    id: idOf(object),
    object: of,
    isAltered: false,
    modifyIndex: index,
  });
  const snapshot = (isAsked: (object: AclObject) => boolean): AclSnapshot => {
    const found = [...objects.values()].filter(isAsked);
    const of = <K extends AclObject['kind']>(kind: K) =>
      found.flatMap((each) => (each.kind === kind ? [storedOf(each, each.object as Kind<K>['object'])] : []));
    return {
      policies: of('acl-policy'),
      roles: of('acl-role'),
      authMethods: of('acl-auth-method'),
      bindingRules: of('acl-binding-rule'),
    };
  };
  const acl: AclObjects = {
    async read(isOurs, signal) {
      await request('read all', signal);
      return snapshot(({ object }) =>
        isOurs('authMethod' in object ? object.authMethod : object.name, object.description),
      );
    },
    async readNamed(names, policies, signal) {
      await request(`read ${[...names, ...policies].join(' ')}`, signal);
      return snapshot((each) =>
        (each.kind === 'acl-policy' ? policies : names).includes(nameOf(each)[0] ?? ''),
      );
    },
    async write(id, object, signal, known) {
      const how = known?.isAbsent === true ? 'create' : 'replace';
      await request(`${how} ${id ?? idOf(object)}`, signal);
      objects.set(id ?? idOf(object), object);
      return { ...storedOf(object, object.object), modifyIndex: ++index };
    },
    async delete(kind, id, signal, isOurs = () => true) {
      await request(`delete ${id}`, signal);
      const found = objects.get(id);
      if (found !== undefined && !isOurs(found.object.description)) throw failed('ERR_CONSUL_CONFLICT');
      if (kind === 'acl-auth-method') {
        self.tokens = self.tokens.filter(({ authMethod }) => authMethod !== id);
        for (const [each, { object: of }] of objects)
          if ('authMethod' in of && of.authMethod === id) objects.delete(each);
      }
      return objects.delete(id);
    },
    async tokens(by, signal) {
      await request(`list ${by === 'all' ? by : Object.entries(by).flat().join(' ')}`, signal);
      return self.tokens.filter(
        ({ authMethod, roles }) =>
          by === 'all' ||
          ('role' in by
            ? roles.some((name) => isSameName(name, by.role))
            : isSameName(authMethod ?? '', by.authMethod)),
      );
    },
    async deleteTokens(ids, signal, perSecond) {
      await request(`end ${ids.join(' ')}${perSecond === undefined ? '' : ` at ${perSecond}/s`}`, signal);
      self.tokens = self.tokens.filter(({ accessorId }) => !ids.includes(accessorId));
      return ids.length;
    },
  };
  const deps: AclDeps = {
    ...rig.deps,
    clock: { now: () => self.nowMs, sleep: async () => {} },
    journal: {
      ...rig.deps.journal,
      read: async () => ({
        pending: [...rig.pending.values()],
        lastApplied: new Map(),
        holds: new Map(),
      }),
    },
    metrics: {
      ...rig.deps.metrics,
      count: (name, labels: Labels = {}, by = 1) =>
        rig.counted.push([name, ...Object.values(labels), by].join(' ')),
    },
    logger: { ...rig.deps.logger, warn: (_fields, text) => warnings.push(text) },
    consul: {
      acl,
      async inspect() {
        self.inspections++;
        const { agentCache } = self;
        const facts = {
          version: '1.22',
          datacenter: 'dc1',
          defaultPolicy: 'deny',
          aclsEnabled: true,
        } as const;
        return agentCache === undefined ? facts : { ...facts, aclCache: agentCache };
      },
    },
    keyValues: {
      get: async (name) => stored.get(name),
      async set(name, value) {
        log.push(`keep ${name}=${value}`);
        stored.set(name, value);
      },
      replace: async () => true,
      has: async () => false,
      remember: async () => {},
    },
    source: rig.stamp.source,
    newId: rig.stamp.newId,
    world: {
      mapping: mapping(),
      beginRead: () => ++self.reads,
      client: () => undefined,
    },
    acl: new AclState(),
    writePlaces: { run: (work) => work() },
    contention: { corrected: (subject, now) => corrected.push(`${subject} ${now}`) },
  };
  const put = (...all: readonly AclObject[]) => {
    for (const each of all) objects.set(idOf(each), each);
  };
  /** The same, as this process read it. */
  const known = (...all: readonly AclObject[]) => {
    put(...all);
    for (const each of all) deps.acl.cache.wrote(each, storedOf(each, each.object), deps.world.beginRead());
  };
  return Object.assign(self, {
    ...rig,
    deps,
    objects,
    stored,
    warnings,
    corrected,
    put,
    known,
    /** What came to Consul, without the journal. */
    requests: () => log.filter((line) => /^(create|replace|delete|end|list|read) /.test(line)),
  });
}

export type MemoryAcl = ReturnType<typeof memoryAcl>;
