import { z } from 'zod';
import type { Access } from '../model/intention.js';
import type { ActualAccess } from '../plan/plan.js';
import { opens } from '../plan/precedence.js';
import { safeParse } from '../safe-parse.js';

const text = z.string();
const HEADER = z.object({
  name: text,
  present: z.boolean().exactOptional(),
  exact: text.exactOptional(),
  prefix: text.exactOptional(),
  suffix: text.exactOptional(),
  regex: text.exactOptional(),
  invert: z.boolean().exactOptional(),
});
const PERMISSION = z.strictObject({
  methods: z.array(text).exactOptional(),
  pathExact: text.exactOptional(),
  pathPrefix: text.exactOptional(),
  pathRegex: text.exactOptional(),
  headers: z.array(HEADER).exactOptional(),
  jwt: z
    .object({ provider: text, verifyClaims: z.array(z.object({ path: z.array(text), value: text })) })
    .exactOptional(),
});
const ACCESS = z.discriminatedUnion('access', [
  z.object({ access: z.literal('allow') }),
  z.object({ access: z.literal('deny') }),
  z.object({ access: z.literal('http'), permissions: z.array(PERMISSION) }),
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
  return access !== undefined && opens(access);
}

/** For a comparison of what two accesses allow: unknown content allows everything in doubt. */
export function asAccess(access: ActualAccess): Access | undefined {
  return access?.kind === 'other' ? { kind: 'allow' } : access;
}
