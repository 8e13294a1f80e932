import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { PERSONS_ROLES, type Person, type PersonsRole } from '../../daemon/rights.js';
import type { Principal } from '../../model/cause.js';
import { definedFields } from '../../model/defined-fields.js';
import { jsonIn } from '../../model/json-in.js';
import type { SessionStore } from '../../queue/session-store.js';
import { safeParse } from '../../safe-parse.js';

export interface SessionLimits {
  /** Ends after this time without a request. */
  readonly idleMs: number;
  readonly longestMs: number;
}

/** Who signs in. */
export interface Entrant {
  readonly principal: Principal;
  readonly roles: readonly PersonsRole[];
}

const BODY = z.object({
  principal: z.object({ id: z.string(), note: z.string().exactOptional() }),
  roles: z.array(z.enum(PERSONS_ROLES)),
  /** The last instant that it may be extended to. */
  longestAt: z.number(),
});

/** The stored end may be so much earlier than the use says, so that not every request writes. */
const EXTEND_MS = 60_000;

/** The sessions of the console. The store has only the SHA-256 of a token, so that nobody who reads it can use one. */
export class Sessions {
  constructor(
    private readonly store: SessionStore,
    private readonly limits: SessionLimits,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** A new token each time: nobody can choose the token of somebody else's session. */
  async open({ principal, roles }: Entrant): Promise<{ readonly token: string; readonly person: Person }> {
    const sessionToken = randomBytes(32).toString('base64url');
    const now = this.clock.now();
    const longestAt = now + this.limits.longestMs;
    const endsAt = Math.min(now + this.limits.idleMs, longestAt);
    const body = JSON.stringify({ principal, roles, longestAt });
    const id = idOf(sessionToken);
    await this.store.add({ id, names: [principal.id], body, endsAt });
    return { token: sessionToken, person: { sessionId: id, principal, roles, endsAt } };
  }

  /** Undefined if it has ended, or never was. Each use extends it. */
  async find(sessionToken: string): Promise<Person | undefined> {
    const id = idOf(sessionToken);
    const stored = await this.store.get(id);
    const now = this.clock.now();
    const body = stored && safeParse(BODY, jsonIn(stored.body)).data;
    if (stored === undefined || body === undefined || stored.endsAt <= now) return undefined;
    const endsAt = Math.min(now + this.limits.idleMs, body.longestAt);
    const isLater = endsAt >= stored.endsAt + EXTEND_MS;
    if (isLater) await this.store.extend(id, endsAt);
    const { id: principalId, note } = body.principal;
    const principal = { id: principalId, ...definedFields({ note }) };
    return { sessionId: id, principal, roles: body.roles, endsAt: isLater ? endsAt : stored.endsAt };
  }

  async end(sessionId: string): Promise<void> {
    await this.store.end(sessionId);
  }
}

function idOf(sessionToken: string): string {
  return createHash('sha256').update(sessionToken).digest('base64url');
}
