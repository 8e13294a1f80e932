import type { Cause } from '../../model/cause.js';
import { definedFields } from '../../model/defined-fields.js';
import { providerKey } from '../../model/key.js';
import type { Evidence, Trigger } from '../../model/trigger.js';
import { digestOf } from '../digest.js';
import {
  clientChanged,
  clientOrder,
  type Effect,
  fullRead,
  keyOfClient,
  membersRead,
  NO_EFFECT,
  onlyTriggers,
  sessionOrder,
  withoutEvidence,
} from '../effects.js';
import type { EventOrigin, IdentityEvent } from '../source.js';
import { MAX_REPLAY_AGE_MS } from '../webhook.js';
import { ALL_CLIENTS } from './authorization-server.js';
import { HOOK_TYPES, type Taken, type TypeEffect, typeEffectOf } from './event-types.js';
import type { LogEvent, LogParty } from './log-event.js';
import type { OktaNames } from './names.js';

/** A poll reads the log with our credentials. A hook proves only its sender, by a constant header. */
export interface EventContext extends EventOrigin {
  readonly provider: string;
  readonly names: OktaNames;
}

/**
 * What an event may have changed, by its type (see event-types.ts). The hook and the log carry the same event, so both give
 * the same parts under the same IDs, and each part is worked on once, whichever way comes first:
 *
 *   the hint       by hook and by log
 *   the evidence   by log, and by hook unless it is so old that it may be a replay
 *   the order      only by log, because nothing proves the content of a hook
 *
 * The ID of the evidence depends on what it states. A hook that came before a read had found the names, or one that may be
 * a replay, states less than the log, and what the log adds still counts.
 */
export function toIdentityEvents(event: LogEvent, context: EventContext): readonly IdentityEvent[] {
  const { kind, receivedAt } = context;
  const { triggers, orders } = translate(event, context);
  const isOld = Date.parse(receivedAt) - Date.parse(event.published) > MAX_REPLAY_AGE_MS;
  const isUnproven = kind === 'webhook' && isOld;
  const hint: IdentityEvent = {
    id: event.uuid,
    occurredAt: event.published,
    triggers: isUnproven ? triggers.map(withoutEvidence) : triggers,
    orders: [],
    ...(kind === 'poll' && HOOK_TYPES.includes(event.type) ? { isSignalled: true } : {}),
  };
  const part = { occurredAt: event.published, partOf: event.uuid };
  const proven = triggers.filter(({ evidence }) => evidence !== undefined);
  const id = `log/${event.uuid}`;
  return [
    hint,
    ...(proven.length === 0 || isUnproven
      ? []
      : [{ ...part, id: `${id}/${digestOfEvidence(proven)}`, triggers: proven, orders: [] }]),
    ...(orders.length === 0 || kind === 'webhook' ? [] : [{ ...part, id, triggers: [], orders }]),
  ];
}

/** Whether the log entry of this event contains an order. A hook can only announce it. */
export function isOrder(event: LogEvent, context: EventContext): boolean {
  return translate(event, context).orders.length > 0;
}

function translate(event: LogEvent, context: EventContext): Effect {
  const { kind, receivedAt } = context;
  const id = event.actor.alternateId ?? event.actor.id;
  const principal = id === '' ? undefined : { id, ...definedFields({ ip: event.ip }) };
  const cause: Cause = { kind, eventId: event.uuid, receivedAt, ...definedFields({ principal }) };
  return event.failed || isOtherProfileChange(event) ? NO_EFFECT : effectOf(event, cause, context);
}

/** Does not change if a read finds the client ID of an app that the event names by its internal ID. */
function digestOfEvidence(triggers: readonly Trigger[]): string {
  return digestOf(
    triggers.map(({ key, fullRead: isFull = false, members = false, evidence = [] }) => [
      key.kind,
      isFull,
      members,
      evidence.map(({ clients = [], internalIds, ...rest }) => [internalIds ?? clients, rest]),
    ]),
  );
}

/** Profiles change often. Of all attributes only the login matters. */
function isOtherProfileChange({ type, changed }: LogEvent): boolean {
  return type === 'user.account.update_profile' && changed !== undefined && !changed.includes('login');
}

function effectOf(event: LogEvent, cause: Cause, context: EventContext): Effect {
  const { provider, names } = context;
  const type = typeEffectOf(event.type);
  switch (type?.about) {
    case undefined:
      return NO_EFFECT;
    case 'app':
      return appEffect(event, type.takes, cause, context);
    case 'access': {
      const evidence = accessEvidence(event, type.takes, provider, names);
      return onlyTriggers(fullRead(provider, cause, { urgent: type.takes !== 'nothing', evidence }));
    }
    case 'people':
      return peopleEffect(event, type, cause, provider);
  }
}

function appEffect(
  event: LogEvent,
  takes: Taken<'app'>,
  cause: Cause,
  { provider, names }: EventContext,
): Effect {
  const app = appIn(event);
  // The event does not name the client, so only a complete comparison finds it.
  if (app === undefined) return onlyTriggers(fullRead(provider, cause, { urgent: takes !== 'nothing' }));
  // Entries about OAuth clients name the client ID. It is the app's ID, unless somebody chose another client ID.
  const appId = names.clientIds.get(app.id) === undefined ? (names.appIds.get(app.id) ?? app.id) : app.id;
  const clientId = names.clientIds.get(appId);
  const ids = { clientId, internalId: appId };
  const key = keyOfClient(provider, clientId, appId);
  if (takes === 'nothing') return onlyTriggers({ key, cause });
  const trigger = clientChanged(provider, key, ids, cause);
  switch (takes) {
    case 'something':
      return onlyTriggers(trigger);
    case 'enabled': {
      const order = clientOrder('client-disabled', provider, ids, event.published, cause);
      return { triggers: [trigger], orders: [order] };
    }
    case 'everything': {
      const order = clientOrder('client-deleted', provider, ids, event.published, cause);
      // A deleted ID cannot be looked up. Without a client ID only a complete comparison finds the client.
      const all = { ...trigger, key: providerKey(provider), fullRead: true };
      return { triggers: [clientId === undefined ? all : trigger], orders: [order] };
    }
  }
}

/** The app that an event is about. The form of its ID tells it from a group or a user. */
function appIn({ targets }: LogEvent): LogParty | undefined {
  const apps = targets.filter(({ id }) => /^[A-Za-z0-9_-]{1,100}$/.test(id));
  return (
    apps.find(({ type }) => type === 'AppInstance') ??
    apps.find(({ type, id }) => /client|app/i.test(type) || id.startsWith('0oa'))
  );
}

/**
 * A policy that names its clients was changed on purpose for them. A policy for all clients is no evidence about any of
 * them: there the mass guard decides. A deleted scope is lost for everyone.
 */
function accessEvidence(
  { targets }: LogEvent,
  takes: Taken<'access'>,
  provider: string,
  names: OktaNames,
): readonly Evidence[] {
  if (takes === 'nothing') return [];
  // An event about a rule names its policy too. Both have the same clients.
  const clients = new Set(targets.flatMap(({ id }) => names.policies.get(id) ?? []));
  const named = clients.size === 0 || clients.has(ALL_CLIENTS) ? [] : [{ provider, clients: [...clients] }];
  const lost = targets.flatMap(({ id }): readonly Evidence[] => {
    const scope = takes === 'scope' ? names.scopes.get(id) : undefined;
    return scope === undefined ? [] : [{ provider, scopes: [scope.name], api: scope.api }];
  });
  return [...named, ...lost];
}

function peopleEffect(
  event: LogEvent,
  { takes, whose, changesMembers }: Extract<TypeEffect, { about: 'people' }>,
  cause: Cause,
  provider: string,
): Effect {
  const users = whose === 'actor' ? [event.actor] : event.targets;
  const persons = users.flatMap(({ type, id, alternateId: login }) =>
    type === 'User' && login !== undefined ? [{ id, login }] : [],
  );
  const people = persons.map(({ login }) => login);
  const groups = event.targets.flatMap(({ type, displayName }) =>
    type === 'UserGroup' ? (displayName ?? []) : [],
  );
  // If one person left a group, that is no evidence about its other members.
  const named = people.length > 0 ? { people } : groups.length > 0 ? { groups } : undefined;
  const evidence = takes === 'nothing' || named === undefined ? [] : [{ provider, ...named }];
  const trigger = membersRead(provider, cause, { urgent: takes !== 'nothing', evidence });
  // An ID token has the user's ID where an access token has the login.
  const orders = persons.map(({ id, login }) =>
    sessionOrder(provider, login, event.published, cause, id === '' ? undefined : id),
  );
  return { triggers: changesMembers ? [trigger] : [], orders: takes === 'session' ? orders : [] };
}
