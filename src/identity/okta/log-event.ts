import { z } from 'zod';
import type { RejectedEvent } from '../../errors.js';
import { safeParse } from '../../safe-parse.js';
import { invalidEvent } from '../event-body.js';

/** A text that is too long for a name counts as absent, so that such an entry does not stop those after it. */
const text = z
  .string()
  .nullish()
  .transform((value) => (value == null || value.length > 1024 ? '' : value));
/** Okta writes `unknown` if there is no alternate ID. */
const name = text.transform((value) => (value === '' || value === 'unknown' ? undefined : value));

/** The actor or a target of an event. */
export type LogParty = z.output<typeof PARTY>;
const PARTY = z.object({
  id: text,
  /** `User`, `AppInstance`, `UserGroup`, `PublicClientApp`, … */
  type: text,
  /** The login of a user. */
  alternateId: name,
  displayName: name,
});
const NOBODY = PARTY.parse({});

const UUID = /^[A-Za-z0-9_-]{1,100}$/;

/** An event of the System Log (developer.okta.com, System Log API, LogEvent). Event hooks carry the same events. */
export type LogEvent = z.output<typeof EVENT>;
const EVENT = z
  .object({
    uuid: z.string().regex(UUID),
    published: z.iso.datetime({ offset: true }).max(40),
    eventType: z.string().min(1).max(255),
    outcome: z.object({ result: text }).nullish(),
    actor: PARTY.nullish(),
    client: z.object({ ipAddress: text }).nullish(),
    target: z.array(PARTY).nullish(),
    debugContext: z.object({ debugData: z.record(z.string(), z.unknown()).nullish() }).nullish(),
  })
  .transform(({ uuid, published, eventType, outcome, actor, client, target, debugContext }) => {
    const changed = debugContext?.debugData?.changedAttributes;
    return {
      uuid,
      /** ISO 8601 by Okta's clock. */
      published: new Date(published).toISOString(),
      type: eventType,
      failed: outcome?.result === 'FAILURE' || outcome?.result === 'DENY',
      actor: actor ?? NOBODY,
      ip: client?.ipAddress || undefined,
      targets: target ?? [],
      /** The profile attributes that changed, if the event says so. */
      changed: typeof changed === 'string' ? changed.split(',').map((each) => each.trim()) : undefined,
    };
  });

/** The events in a list. An entry that cannot be parsed is refused alone, so that the other entries are still accepted. */
export function parseLogEvents(values: readonly unknown[], place: string) {
  const events: LogEvent[] = [];
  const rejected: RejectedEvent[] = [];
  for (const value of values) {
    const parsed = safeParse(EVENT, value);
    if (parsed.success) events.push(parsed.data);
    else rejected.push(invalidEntry(value, place));
  }
  return { events, rejected };
}

function invalidEntry(value: unknown, place: string): RejectedEvent {
  const uuid = safeParse(z.looseObject({ uuid: z.string().regex(UUID) }), value).data?.uuid;
  const remedy = 'look it up in the System Log; if it ended sessions, end them again';
  return invalidEvent(
    `${place}: entry ${uuid ?? 'without a uuid'} does not have the documented form and is skipped; ${remedy}`,
  );
}
