import { z } from 'zod';
import { PERMISSION } from '../decisions/edge-access.js';
import type { Access } from '../model/intention.js';
import type { ActualAccess } from '../plan/plan.js';
import { allowsAnything } from '../plan/precedence.js';
import { safeParse } from '../safe-parse.js';

/** One with a key that this version does not know may let less through than it seems. */
const KNOWN_PERMISSION = z.strictObject(PERMISSION.shape);
const ACCESS = z.discriminatedUnion('access', [
  z.object({ access: z.literal('allow') }),
  z.object({ access: z.literal('deny') }),
  z.object({ access: z.literal('http'), permissions: z.array(KNOWN_PERMISSION) }),
]);

/** The access in `before` or `after` of a decision about an edge. What cannot be read counts as access of an unknown kind. */
export function toAccess(content: unknown): ActualAccess {
  if (content === null || content === undefined) return undefined;
  const found = safeParse(ACCESS, content);
  if (!found.success) return { kind: 'other' };
  const { data } = found;
  return data.access === 'http' ? { kind: 'http', permissions: data.permissions } : { kind: data.access };
}

/** Whether a call can pass. */
export function isOpen(access: ActualAccess): boolean {
  return access !== undefined && allowsAnything(access);
}

/** For a comparison of what two accesses allow: unknown content allows everything in doubt. */
export function asAccess(access: ActualAccess): Access | undefined {
  return access?.kind === 'other' ? { kind: 'allow' } : access;
}
