import type { Config } from '../../../config/config.js';
import { ruleNames } from '../../app/rule-names.js';
import type { Grant } from '../../model/client.js';
import type { HttpPermission, IntentionSource, ServiceName } from '../../model/intention.js';
import { toPathText } from '../../model/plain-path.js';
import { isOwnedNow } from '../../plan/edge-record.js';
import { isApprovable } from '../../plan/holds.js';
import { parseLastAppliedText } from '../../plan/last-applied.js';
import { createRuleFinder } from '../../plan/openings.js';
import { clientOfDescription, isOwnedHere, isSourceOf } from '../../plan/ownership.js';
import { intentionSubject } from '../../plan/plan.js';
import { type ClientId, clientText, serviceText } from '../../plan/world.js';
import type { RecordedHold } from '../../queue/journal.js';
import type { WorldState } from '../../state/world-state.js';
import type { Edge } from '../answers.js';
import { displayName, shownClient } from './parts.js';

/** Makes edges for answers, as the world is now. */
export interface EdgeMaker {
  /** The edge of one source of an intention. */
  ofSource(destination: ServiceName, source: IntentionSource): Edge;
  /** The edge between two services, whether an intention has it or not. */
  between(source: ServiceName, destination: ServiceName): Edge;
  /** The little that a map of all edges shows of one; without a source: of an edge that a hold alone is about. */
  glanceAt(from: ServiceName, destination: ServiceName, source: IntentionSource | undefined): Glance;
}

/** Readers of many edges read no more than this. */
interface Glance {
  readonly client: ClientId | undefined;
  readonly grants: readonly Grant[];
  readonly state: Edge['state'];
  readonly access: Edge['access'];
  readonly hold: RecordedHold | undefined;
}

/** `holds`: every recorded one. */
export function createEdgeMaker(
  world: WorldState,
  now: number,
  holds: Iterable<RecordedHold>,
  config: Pick<Config, 'consul'>,
): EdgeMaker {
  const statuses = world.claimStatuses(now);
  const held = bySubject(holds);
  const names = ruleNames(world.mapping.rules);
  const rulesOpening = createRuleFinder(world.mapping);
  const clientOf = (source: ServiceName, description: string): ClientId | undefined => {
    const claim = statuses.get(serviceText(source));
    return claim === undefined || claim.kind === 'none' ? clientOfDescription(description) : claim.client;
  };
  /** The scopes of a client that the mapping opens a destination for. */
  const opening = (client: ClientId | undefined, { name }: ServiceName): readonly Grant[] =>
    (client && world.openings().get(clientText(client))?.openings)
      ?.filter(({ destination }) => destination === name.toLowerCase())
      .map(({ scope, api }) => (api === undefined ? { name: scope } : { api, name: scope })) ?? [];

  const glanceAt: EdgeMaker['glanceAt'] = (from, destination, source) => {
    const records = world.records.recordsOf(destination);
    const subject = intentionSubject(destination, from.name);
    const client = clientOf(from, source?.description ?? '');
    const isOwned =
      source !== undefined && isOwnedHere(world.mapping, source) && isOwnedNow(destination, source, records);
    const record = isOwned ? parseLastAppliedText(records.lastApplied.get(subject)) : undefined;
    const isForeign = source !== undefined && !isOwned;
    const grants = isForeign ? [] : (record?.grants ?? opening(client, destination));
    const hold = source?.peer === undefined ? held.get(subject) : undefined;
    const access = source?.access;
    return {
      client,
      grants,
      hold,
      access: access === undefined ? 'none' : access.kind === 'allow' ? 'all' : access.kind,
      state: isForeign
        ? 'foreign'
        : hold !== undefined
          ? 'held'
          : access === undefined || access.kind === 'deny'
            ? 'closed'
            : (record?.breakGlass.length ?? 0) > 0
              ? 'break-glass'
              : 'open',
    };
  };
  const make = (from: ServiceName, destination: ServiceName, source: IntentionSource | undefined): Edge => {
    const { client, grants, hold, access, state } = glanceAt(from, destination, source);
    const rules = client && grants.flatMap((grant) => rulesOpening(client.provider, grant, destination.name));
    return {
      from: displayName(from, config) + (source?.peer === undefined ? '' : ` (${source.peer})`),
      to: displayName(destination, config),
      client: shownClient(client),
      scopes: [...new Set(grants.map(({ name }) => name))],
      rules: [...new Set(rules?.flatMap((rule) => names.get(rule) ?? []))],
      access,
      permissions: source?.access.kind === 'http' ? source.access.permissions.map(permissionOf) : [],
      state,
      reason: hold?.reason ?? null,
      decision: hold?.decisionId ?? null,
    };
  };
  return {
    glanceAt,
    ofSource: (destination, source) => make(source, destination, source),
    between(from, to) {
      const destination = { ...to, name: to.name.toLowerCase() };
      const found = world.entries
        .get(serviceText(destination))
        ?.sources.find((each) => each.peer === undefined && isSourceOf(each, from));
      return make(from, destination, found);
    },
  };
}

/** Of several holds of one edge, the one that waits for a person. */
function bySubject(holds: Iterable<RecordedHold>): ReadonlyMap<string, RecordedHold> {
  const found = new Map<string, RecordedHold>();
  for (const hold of holds) {
    const known = found.get(hold.subject);
    if (known === undefined || isApprovable(hold.reason)) found.set(hold.subject, hold);
  }
  return found;
}

function permissionOf({ methods, pathExact, pathPrefix, pathRegex, jwt }: HttpPermission) {
  const path =
    pathExact ??
    (pathPrefix === undefined || pathPrefix === '/' ? undefined : `${pathPrefix}*`) ??
    (pathRegex === undefined ? undefined : toPathText(pathRegex));
  return {
    methods: methods === undefined ? null : [...methods],
    path: path ?? null,
    user: jwt !== undefined,
  };
}
