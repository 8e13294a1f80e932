import { z } from 'zod';
import type { RejectedEvent } from '../../errors.js';
import { invalidEvent } from '../event-body.js';

/** An event of the System Log; an event hook carries the same ones. */
export interface LogEvent {
  readonly uuid: string;
  /** ISO 8601 by Okta's clock. */
  readonly published: string;
  readonly type: string;
  readonly failed: boolean;
  readonly actor: LogParty;
  readonly ip?: string;
  readonly targets: readonly LogParty[];
  /** Attributes of a profile, where the event tells which were changed. */
  readonly changed?: readonly string[];
}

/** Whom an event is by or about. Okta writes `unknown` where it has no alternate id. */
export interface LogParty {
  readonly id: string;
  /** `User`, `AppInstance`, `UserGroup`, `PublicClientApp`, … */
  readonly type: string;
  /** The login of a user. */
  readonly alternateId?: string;
  readonly displayName?: string;
}

/** What is too long to be a name is none: one such entry must not keep back those after it. */
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

/** Undefined for anything that is no event of the System Log (developer.okta.com, System Log API, LogEvent). */
export function parseLogEvent(value: unknown): LogEvent | undefined {
  const parsed = EVENT.safeParse(value);
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

/** The refusal of an entry that `parseLogEvent` cannot read, so that those beside it are not kept back. */
export function unreadableEntry(value: unknown, place: string): RejectedEvent {
  const uuid = z.looseObject({ uuid: z.string().regex(UUID) }).safeParse(value).data?.uuid;
  return invalidEvent(
    `${place}: the entry ${uuid ?? 'without a uuid'} has another form than documented and was left out; look it up in the System Log, and if it ended somebody's sessions, end them once more`,
  );
}

function toParty({ id, type, alternateId, displayName }: z.output<typeof PARTY>): LogParty {
  return {
    id: id ?? '',
    type: type ?? '',
    ...(isSaid(alternateId) ? { alternateId } : {}),
    ...(isSaid(displayName) ? { displayName } : {}),
  };
}

function isSaid(value: string | null | undefined): value is string {
  return typeof value === 'string' && value !== '' && value !== 'unknown';
}
