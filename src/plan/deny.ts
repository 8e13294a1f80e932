import { principalText } from '../model/cause.js';
import type { Access, IntentionSource, ServiceName } from '../model/intention.js';
import { type Deny, LONGEST_DENY_MS } from '../model/ruling.js';
import type { DesiredAccess } from './desired-access.js';
import type { DestinationInput } from './destination-input.js';
import { denyOfDescription } from './ownership.js';
import { type Hold, intentionResource, intentionSubject, type RulingPart } from './plan.js';

/** A deny in effect at one edge. */
export interface EdgeDeny {
  readonly until: number;
  /** What decisions say. */
  readonly part: RulingPart;
}

/** What every denied edge becomes. */
export const DENIED: Access = { kind: 'deny' };

export function isInEffect({ until, endedAt }: Deny, now: number): boolean {
  return endedAt === undefined && now < until;
}

/**
 * The deny of an edge. What a person ordered is in the store. If the store lost it, the mark of the owned deny in Consul still
 * says until when: a forged one closes an edge that its writer can close anyway, and opens nothing.
 */
export function denyOf(
  source: ServiceName,
  ours: IntentionSource | undefined,
  { denies: { rulings, now } }: Pick<DestinationInput, 'denies'>,
): EdgeDeny | undefined {
  const known = rulings.find(({ about }) => about.source === source.name);
  if (known !== undefined)
    return isInEffect(known, now) ? { until: known.until, part: partOf(known) } : undefined;
  const until = ours?.access.kind === 'deny' ? denyOfDescription(ours.description)?.until : undefined;
  if (until === undefined || until <= now || until - now > LONGEST_DENY_MS) return undefined;
  const end = new Date(until).toISOString();
  return {
    until,
    part: { by: undefined, detail: `a person denied this edge until ${end}, by its mark in Consul` },
  };
}

function partOf(deny: Deny): RulingPart {
  return { by: deny.by, detail: denyText(deny) };
}

/** Why an edge is closed, for a person. */
export function denyText({ by, until, reason }: Deny): string {
  return `${principalText(by)} denied this edge until ${new Date(until).toISOString()}: ${reason}`;
}

/** What the identity provider would open. */
export function deniedHolds(
  source: ServiceName,
  { access, scopes, client }: DesiredAccess,
  { part }: EdgeDeny,
  { destination }: DestinationInput,
): readonly Hold[] {
  if (access === undefined || access.kind === 'deny') return [];
  return [
    {
      subject: intentionSubject(destination, source.name),
      resource: intentionResource(destination, source.name),
      reason: 'PersonDenied',
      detail: part.detail,
      action: 'grant',
      scopes,
      after: access,
      ...(client === undefined ? {} : { client }),
    },
  ];
}
