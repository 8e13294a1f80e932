import { clientKey, type Key, providerKey } from '../../model/key.js';
import type { RevocationOrder } from '../../model/order.js';
import type { Cause, Evidence, Trigger } from '../../model/trigger.js';
import type { IdentityEvent } from '../source.js';
import { ALL_CLIENTS } from './authorization-server.js';
import { effectOf, HOOK_TYPES } from './event-types.js';
import type { LogEvent, LogParty } from './log-event.js';
import type { OktaNames } from './names.js';

export interface EventContext {
  readonly provider: string;
  /** The log was read with our own credentials; of a hook, a header that never changes proves the sender alone. */
  readonly kind: 'webhook' | 'poll';
  /** ISO 8601. */
  readonly receivedAt: string;
  readonly names: OktaNames;
}

type Effect = Pick<IdentityEvent, 'triggers' | 'orders'>;

const NOTHING: Effect = { triggers: [], orders: [] };

/** Shorter than the intake remembers ids, longer than Okta sends an event late. */
const BELIEVED_MS = 6 * 24 * 3600_000;

/**
 * What an event may have changed, by its type (see event-types.ts). A hook never brings an order, for nothing proves what
 * it says; nor evidence, once it is so old that it may be a replay. The log's entry of the same event is the same hint
 * under the same id, and beside it, under an id of its own, whatever the log proves: the one is a duplicate where the hook
 * came before, the other never is.
 */
export function toIdentityEvents(event: LogEvent, context: EventContext): readonly IdentityEvent[] {
  const { hint, proof } = translate(event, context);
  return proof === undefined || context.kind === 'webhook' ? [hint] : [hint, proof];
}

/** Whether the log has an order in it of which a hook can only be the messenger. */
export function isOrder(event: LogEvent, context: EventContext): boolean {
  return (translate(event, context).proof?.orders.length ?? 0) > 0;
}

function translate(event: LogEvent, context: EventContext) {
  const { id: who, ...by } = event.actor;
  const principal = by.alternateId ?? who;
  const cause: Cause = {
    kind: context.kind,
    eventId: event.uuid,
    receivedAt: context.receivedAt,
    ...(principal === ''
      ? {}
      : { principal: { id: principal, ...(event.ip === undefined ? {} : { ip: event.ip }) } }),
  };
  const full = event.failed || isAboutOtherAttributes(event) ? NOTHING : effectIn(event, cause, context);
  const isOld = Date.parse(context.receivedAt) - Date.parse(event.published) > BELIEVED_MS;
  const hint: IdentityEvent = {
    id: event.uuid,
    occurredAt: event.published,
    triggers: isOld && context.kind === 'webhook' ? full.triggers.map(withoutEvidence) : full.triggers,
    orders: [],
    ...(context.kind === 'poll' && HOOK_TYPES.includes(event.type) ? { isSignalled: true } : {}),
  };
  const proven = full.triggers.filter(({ evidence }) => evidence !== undefined);
  if (proven.length + full.orders.length === 0) return { hint, proof: undefined };
  const proof: IdentityEvent = {
    id: `log/${event.uuid}`,
    occurredAt: event.published,
    triggers: proven,
    orders: full.orders,
  };
  return { hint, proof };
}

/** Directories change profiles all day long; of all that only the login matters. */
function isAboutOtherAttributes({ type, changed }: LogEvent): boolean {
  return type === 'user.account.update_profile' && changed !== undefined && !changed.includes('login');
}

function withoutEvidence({ evidence: _, ...trigger }: Trigger): Trigger {
  return trigger;
}

function effectIn(event: LogEvent, cause: Cause, context: EventContext): Effect {
  const { provider, names } = context;
  const effect = effectOf(event.type);
  switch (effect?.about) {
    case undefined:
      return NOTHING;
    case 'app':
      return ofApp(event, effect, cause, context);
    case 'access': {
      const evidence = accessEvidence(event, effect.takes, provider, names);
      const trigger: Trigger = {
        key: providerKey(provider),
        cause,
        fullRead: true,
        urgent: effect.takes !== 'nothing',
        ...(evidence.length === 0 ? {} : { evidence }),
      };
      return { triggers: [trigger], orders: [] };
    }
    case 'people':
      return ofPeople(event, effect, cause, provider);
  }
}

type AppEffect = Extract<NonNullable<ReturnType<typeof effectOf>>, { about: 'app' }>;
type PeopleEffect = Extract<NonNullable<ReturnType<typeof effectOf>>, { about: 'people' }>;

function ofApp(event: LogEvent, effect: AppEffect, cause: Cause, context: EventContext): Effect {
  const { provider, names } = context;
  const app = appIn(event);
  // Which client it was is not said: only the comparison of everything finds out.
  if (app === undefined)
    return {
      triggers: [{ key: providerKey(provider), cause, fullRead: true, urgent: effect.takes !== 'nothing' }],
      orders: [],
    };
  // Entries about OAuth clients name the client id, which is the app's id unless somebody chose another.
  const appId = names.clientId(app.id) === undefined ? (names.appId(app.id) ?? app.id) : app.id;
  const clientId = names.clientId(appId);
  const byId: Key = { kind: 'client', provider, by: 'internalId', value: appId };
  const key = clientId === undefined ? byId : clientKey(provider, clientId);
  if (effect.takes === 'nothing') return { triggers: [{ key, cause }], orders: [] };
  const named = clientId === undefined ? {} : { clientId };
  const evidence: readonly Evidence[] = [
    { provider, internalIds: [appId], ...(clientId === undefined ? {} : { clients: [clientId] }) },
  ];
  const trigger: Trigger = { key, cause, urgent: true, evidence };
  const order = (kind: RevocationOrder['kind']): RevocationOrder => ({
    kind,
    provider,
    internalId: appId,
    ...named,
    at: event.published,
    cause,
  });
  switch (effect.takes) {
    case 'something':
      return { triggers: [trigger], orders: [] };
    case 'enabled':
      return { triggers: [trigger], orders: [order('client-disabled')] };
    case 'everything': {
      // The id leads nowhere any more; without a client id only the comparison of everything finds the rest.
      const gone: Trigger =
        clientId === undefined ? { ...trigger, key: providerKey(provider), fullRead: true } : trigger;
      return { triggers: [gone], orders: [order('client-deleted')] };
    }
  }
}

/** The app that an event is about. Its id has its own form, so that one of a group or a user is not taken for it. */
function appIn({ targets }: LogEvent): LogParty | undefined {
  const apps = targets.filter(({ id }) => /^[A-Za-z0-9_-]{1,100}$/.test(id));
  return (
    apps.find(({ type }) => type === 'AppInstance') ??
    apps.find(({ type, id }) => /client|app/i.test(type) || id.startsWith('0oa'))
  );
}

/**
 * A policy that names its clients was changed on purpose for them. One for all clients is no evidence about any: there
 * the mass guard has the last word. A scope that was deleted is lost for everyone.
 */
function accessEvidence(
  { targets }: LogEvent,
  takes: 'nothing' | 'something' | 'scope',
  provider: string,
  names: OktaNames,
): readonly Evidence[] {
  if (takes === 'nothing') return [];
  // A rule comes with its policy, and both name the same clients.
  const clients = new Set(targets.flatMap(({ id }) => names.policyClients(id) ?? []));
  const named = clients.size === 0 || clients.has(ALL_CLIENTS) ? [] : [{ provider, clients: [...clients] }];
  const lost = targets.flatMap(({ id }): readonly Evidence[] => {
    const scope = takes === 'scope' ? names.scope(id) : undefined;
    return scope === undefined ? [] : [{ provider, scopes: [scope.name], api: scope.api }];
  });
  return [...named, ...lost];
}

function ofPeople(event: LogEvent, effect: PeopleEffect, cause: Cause, provider: string): Effect {
  const users = effect.whose === 'actor' ? [event.actor] : event.targets;
  const people = users.flatMap(({ type, alternateId }) =>
    type === 'User' && alternateId !== undefined ? [alternateId] : [],
  );
  const groups = event.targets.flatMap(({ type, displayName }) =>
    type === 'UserGroup' && displayName !== undefined ? [displayName] : [],
  );
  const evidence: readonly Evidence[] =
    effect.takes === 'nothing' || people.length + groups.length === 0
      ? []
      : [
          {
            provider,
            ...(people.length === 0 ? {} : { people }),
            // Where one person left a group, nothing is said of its other members.
            ...(people.length > 0 || groups.length === 0 ? {} : { groups }),
          },
        ];
  const trigger: Trigger = {
    key: providerKey(provider),
    cause,
    members: true,
    urgent: effect.takes !== 'nothing',
    ...(evidence.length === 0 ? {} : { evidence }),
  };
  const orders = people.map(
    (subject): RevocationOrder => ({
      kind: 'session-revoked',
      provider,
      subject,
      at: event.published,
      cause,
    }),
  );
  return {
    triggers: effect.changesMembers ? [trigger] : [],
    orders: effect.takes === 'session' ? orders : [],
  };
}
