import { z } from 'zod';
import { instant, text } from './fields.js';

/* Who asks, and what that person may do. */

/** The answer of `GET /api/session`. */
export const Session = z.object({
  person: z.object({ id: text, name: text }),
  roles: z
    .array(z.enum(['viewer', 'approver', 'operator']))
    .describe('Of a person. A token has none, and its rights are in `may`.'),
  may: z
    .record(text, z.union([z.literal(true), text]))
    .describe('For each action `true`, or the reason why the caller may not do it.'),
  instance: z.object({ name: text, mode: text, version: text, commit: text.nullable() }),
  again: text
    .nullable()
    .describe('The provider to sign in at again, if the sign-in is too old for a change; else null.'),
  endsAt: instant.nullable().describe('When the session ends if it is not used before; null for a token.'),
});
export type Session = z.infer<typeof Session>;

/** The reasons of a failed login, in words that the page knows. */
export type LoginRefusal =
  | 'busy'
  | 'denied'
  | 'elsewhere'
  | 'failed'
  | 'noLogin'
  | 'noPerson'
  | 'noRole'
  | 'notBegun'
  | 'unavailable';
