import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
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
  /** A sign-in older than this only reads. */
  readonly freshMs: number;
  /** Who may do what, and where people sign in: a session that began under other settings is over. */
  readonly roles: unknown;
  readonly login: readonly { readonly provider: string; readonly clientId: string }[];
}

/** Who signs in. */
export interface Entrant {
  readonly principal: Principal;
  readonly roles: readonly PersonsRole[];
  /** How the identity provider proved it; undefined for the token file. */
  readonly login?: {
    readonly provider: string;
    /** By which its session ends with others: at the provider, and all of the provider. */
    readonly names: readonly string[];
    /** Milliseconds since the epoch: when the person last proved who they are. */
    readonly at: number;
    readonly idToken: string;
  };
}

const BODY = z.object({
  principal: z.object({ id: z.string(), note: z.string().exactOptional() }),
  roles: z.array(z.enum(PERSONS_ROLES)),
  /** The last instant that it may be extended to. */
  longestAt: z.number(),
  login: z
    .object({ provider: z.string(), at: z.number(), idToken: z.string(), settings: z.string() })
    .exactOptional(),
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
  async open({ principal, roles, login }: Entrant): Promise<{ readonly token: string }> {
    const sessionToken = randomBytes(32).toString('base64url');
    const now = this.clock.now();
    const longestAt = now + this.limits.longestMs;
    const endsAt = Math.min(now + this.limits.idleMs, longestAt);
    const sealed = login && {
      ...login,
      names: undefined,
      idToken: seal(login.idToken, sessionToken),
      settings: this.#settings(),
    };
    const body = JSON.stringify({ principal, roles, longestAt, ...definedFields({ login: sealed }) });
    const names = [principal.id, ...(login?.names ?? [])] as const;
    await this.store.add({ id: idOf(sessionToken), names, body, beganAt: login?.at ?? now, endsAt });
    return { token: sessionToken };
  }

  /** Undefined if it has ended, or never was. `isUse`: a request extends it, an open stream alone does not. */
  async find(sessionToken: string, isUse = true): Promise<Person | undefined> {
    const id = idOf(sessionToken);
    const stored = await this.store.get(id);
    const now = this.clock.now();
    const body = stored && safeParse(BODY, jsonIn(stored.body)).data;
    if (stored === undefined || body === undefined || stored.endsAt <= now) return undefined;
    if (body.login !== undefined && body.login.settings !== this.#settings()) return undefined;
    const endsAt = Math.min(now + this.limits.idleMs, body.longestAt);
    const isLater = isUse && endsAt >= stored.endsAt + EXTEND_MS;
    if (isLater) await this.store.extend(id, endsAt);
    const { id: principalId, note } = body.principal;
    return {
      principal: { id: principalId, ...definedFields({ note }) },
      roles: body.roles,
      endsAt: isLater ? endsAt : stored.endsAt,
      ...(body.login === undefined
        ? {}
        : { provider: body.login.provider, isStale: now - body.login.at > this.limits.freshMs }),
    };
  }

  #settings(): string {
    const { roles, login } = this.limits;
    return idOf(JSON.stringify([roles, login.map(({ provider, clientId }) => [provider, clientId])]));
  }

  /** Resolves with the ID token of the login, if there was one. */
  async end(sessionToken: string): Promise<string | undefined> {
    const stored = await this.store.get(idOf(sessionToken));
    await this.store.end(idOf(sessionToken));
    const body = stored && safeParse(BODY, jsonIn(stored.body)).data;
    return body?.login && unseal(body.login.idToken, sessionToken);
  }
}

function idOf(sessionToken: string): string {
  return createHash('sha256').update(sessionToken).digest('base64url');
}

// The store does not know the token of a session, so it cannot read what is sealed with it. The key has one use, so a fixed
// nonce is used with it only once.
const NONCE = Buffer.alloc(12);
const TAG_BYTES = 16;

function keyOf(sessionToken: string): Buffer {
  return Buffer.from(hkdfSync('sha256', sessionToken, '', 'scopemesh ID token', 32));
}

function seal(text: string, sessionToken: string): string {
  const cipher = createCipheriv('aes-256-gcm', keyOf(sessionToken), NONCE);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([cipher.getAuthTag(), sealed]).toString('base64url');
}

function unseal(text: string, sessionToken: string): string | undefined {
  const bytes = Buffer.from(text, 'base64url');
  try {
    const decipher = createDecipheriv('aes-256-gcm', keyOf(sessionToken), NONCE);
    decipher.setAuthTag(bytes.subarray(0, TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(TAG_BYTES)), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}
