import { SyncError } from '../../../src/errors.js';
import type { OAuthClient } from '../../../src/model/client.js';
import type { AclSettings } from '../../../src/model/login.js';
import type { Members } from '../../../src/model/members.js';
import type { Mapping } from '../../../src/model/rule.js';
import type { Job, Trigger } from '../../../src/model/trigger.js';
import type { ReconcilerDeps } from '../../../src/reconcile/deps.js';
import { RevocationWindow } from '../../../src/state/revocation-window.js';
import { WorldState } from '../../../src/state/world-state.js';
import { CAUSE } from '../../apply/apply-rig.js';
import { claiming, client, mapping, NOW, SETTINGS } from '../../plan/scene.js';
import { depsOf } from '../../reconcile/deps.js';
import { memoryAcl } from '../apply/memory-acl.js';
import { aclRule, READ_CONFIG, settings } from '../plan/acl-scene.js';

export const ID = { provider: 'main', clientId: 'web' };
export const NAME = 'scopemesh-pay-main-web';

export interface AclWorldOptions {
  readonly mapping?: Partial<Mapping>;
  readonly settings?: Partial<AclSettings>;
  readonly clients?: readonly OAuthClient[];
  /** Services, each with the clients that its instances claim. */
  readonly services?: readonly (readonly [string, ...string[]])[];
  readonly isRead?: boolean;
}

/** A world with clients, an identity provider and ACL objects in memory, and everything that a job needs. */
export function aclWorld(options: AclWorldOptions = {}) {
  const memory = memoryAcl();
  const world = new WorldState(
    mapping({
      rules: [aclRule('config:read', READ_CONFIG)],
      acl: settings({ login: false, ...options.settings }),
      ...options.mapping,
    }),
    SETTINGS,
  );
  world.putCatalog(
    {
      services: (options.services ?? []).map(([name, ...clients]) => claiming(name, ...clients)),
      protocols: new Map(),
      defaultProtocol: 'http',
    },
    NOW,
  );
  const self = {
    /** By group; what it throws is the directory's answer. */
    members: (): Members => new Map(),
    /** The last call: the groups, and who was to be confirmed. */
    asked: undefined as { groups: readonly string[]; admitted: Members | undefined } | undefined,
  };
  const { deps: rest, added, decisions } = depsOf(world, {});
  let seen = 0;
  const directory = rest.directories.get('main');
  if (directory === undefined) throw new Error('no directory');
  const deps: ReconcilerDeps = {
    ...rest,
    acl: memory.deps.acl,
    consul: { ...rest.consul, ...memory.deps.consul },
    directories: new Map([
      [
        'main',
        {
          ...directory,
          async readMembers(groups, _signal, admitted) {
            self.asked = { groups, admitted };
            return self.members();
          },
        },
      ],
    ]),
    clock: memory.deps.clock,
    logger: memory.deps.logger,
    metrics: memory.deps.metrics,
    window: new RevocationWindow(600_000),
  };
  const putClients = (...clients: readonly OAuthClient[]) =>
    world.putDirectory('main', clients, world.beginRead(), NOW);
  if (options.isRead !== false) putClients(...(options.clients ?? [client('web', ['config:read'])]));
  return Object.assign(memory, {
    state: self,
    world,
    job: deps,
    added,
    /** The decisions since `forget`. */
    decided: () => decisions.slice(seen),
    forget() {
      seen = decisions.length;
      memory.log.length = 0;
    },
    putClients,
    setMapping: (changes: Partial<Mapping>) => world.setMapping({ ...world.mapping, ...changes }),
    outcomes: () =>
      decisions
        .slice(seen)
        .map(({ subject, outcome, reason }) => `${subject.split('/')[0]} ${outcome} ${reason}`),
  });
}

export type AclWorld = ReturnType<typeof aclWorld>;

export const jobOf = (triggers: readonly Partial<Trigger>[] = [{}], attempts = 0): Job => {
  const key = { kind: 'provider', name: 'main' } as const;
  return { key, triggers: triggers.map((each) => ({ key, cause: CAUSE, ...each })), attempts };
};

/** So that every inferred loss is held. */
export const NO_LOSS = { maxRevocations: { percent: 0, atLeast: 0, windowMs: 600_000 } };

export const denied = new SyncError('ERR_CONSUL_DENIED', 'no permission', { retriable: false });
