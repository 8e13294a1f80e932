import { z } from 'zod';
import type { RejectedEvent } from '../../errors.js';
import { safeParse } from '../../safe-parse.js';
import { invalidEvent } from '../event-body.js';

/** An event of the System Log. Event hooks carry the same events. */
export interface LogEvent {
  readonly uuid: string;
  /** ISO 8601 by Okta's clock. */
  readonly published: string;
  readonly type: string;
  readonly failed: boolean;
  readonly actor: LogParty;
  readonly ip?: string;
  readonly targets: readonly LogParty[];
  /** The profile attributes that changed, if the event says so. */
  readonly changed?: readonly string[];
}

/** The actor or a target of an event. Okta writes `unknown` if there is no alternate ID. */
export interface LogParty {
  readonly id: string;
  /** `User`, `AppInstance`, `UserGroup`, `PublicClientApp`, … */
  readonly type: string;
  /** The login of a user. */
  readonly alternateId?: string;
  readonly displayName?: string;
}

/** A text that is too long for a name counts as absent, so that such an entry does not stop those after it. */
const text = z.string().transform((value) => (value.length > 1024 ? '' : value));
const PARTY = z.looseObject({
  id: text.nullish(),
  type: text.nullish(),
  alternateId: text.nullish(),
  displayName: text.nullish(),
});
const UUID = /^[A-Za-z0-9_-]{1,100}$/;
const EVENT = z.looseObject({
  uuid: z.string().regex(UUID),
  published: z.iso.datetime({ offset: true }).max(40),
  eventType: z.string().min(1).max(255),
  outcome: z.looseObject({ result: text.nullish() }).nullish(),
  actor: PARTY.nullish(),
  client: z.looseObject({ ipAddress: text.nullish() }).nullish(),
  target: z.array(PARTY).nullish(),
  debugContext: z.looseObject({ debugData: z.record(z.string(), z.unknown()).nullish() }).nullish(),
});

/** Undefined if the value is no event of the System Log (developer.okta.com, System Log API, LogEvent). */
export function parseLogEvent(value: unknown): LogEvent | undefined {
  const parsed = safeParse(EVENT, value);
  if (!parsed.success) return undefined;
  const { uuid, published, eventType, outcome, actor, client, target, debugContext } = parsed.data;
  const ip = client?.ipAddress ?? '';
  const changed = debugContext?.debugData?.changedAttributes;
  return {
    uuid,
    published: new Date(published).toISOString(),
    type: eventType,
    failed: outcome?.result === 'FAILURE' || outcome?.result === 'DENY',
    actor: toParty(actor ?? {}),
    ...(ip === '' ? {} : { ip }),
    targets: (target ?? []).map(toParty),
    ...(typeof changed === 'string' ? { changed: changed.split(',').map((name) => name.trim()) } : {}),
  };
}

/** The refusal of an entry that `parseLogEvent` cannot parse, so that the other entries are still accepted. */
export function invalidEntry(value: unknown, place: string): RejectedEvent {
  const uuid = safeParse(z.looseObject({ uuid: z.string().regex(UUID) }), value).data?.uuid;
  const remedy = 'look it up in the System Log; if it ended sessions, end them again';
  return invalidEvent(
    `${place}: entry ${uuid ?? 'without a uuid'} does not have the documented form and is skipped; ${remedy}`,
  );
}

function toParty({ id, type, alternateId, displayName }: z.output<typeof PARTY>): LogParty {
  return {
    id: id ?? '',
    type: type ?? '',
    ...(isPresent(alternateId) ? { alternateId } : {}),
    ...(isPresent(displayName) ? { displayName } : {}),
  };
}

function isPresent(value: string | null | undefined): value is string {
  return typeof value === 'string' && value !== '' && value !== 'unknown';
}
