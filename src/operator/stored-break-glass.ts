import { z } from 'zod';
import type { BreakGlass } from '../model/break-glass.js';
import { PERSONS_REASON } from '../model/cause.js';
import { jsonIn } from '../model/json-in.js';
import { breakGlassAccess } from '../plan/break-glass.js';
import { isSourceName } from '../plan/claim-status.js';
import { isPlainServiceName } from '../plan/pattern.js';
import { safeParse } from '../safe-parse.js';
import { StoredPrincipal } from './stored-principal.js';

export const METHOD = /^[A-Z]{1,32}$/;
const MAX_METHODS = 20;
const place = () => z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/);
const name = () => z.string().max(512);
const instant = () => z.number().int().min(0).max(8.64e15);

/** What a person asks for. */
export const REQUEST_FIELDS = {
  source: z.string().refine(isSourceName, 'must be the name of a service'),
  destination: z.string().refine(isPlainServiceName, 'must be a plain service name (a-z, 0-9 and -)'),
  methods: z.array(z.string().regex(METHOD)).min(1).max(MAX_METHODS).exactOptional(),
  path: z.string().max(2_048).startsWith('/').exactOptional(),
  reason: z.string().regex(PERSONS_REASON),
};

const Stored = z.strictObject({
  id: z.string().regex(/^[0-9A-Z]{26}$/),
  ...REQUEST_FIELDS,
  partition: place(),
  namespace: place(),
  client: z.object({ provider: name(), clientId: name() }).exactOptional(),
  forMs: z
    .number()
    .int()
    .min(1_000)
    .max(366 * 86_400_000),
  duringFreeze: z.boolean(),
  askedAt: instant(),
  askedBy: StoredPrincipal,
  openedAt: instant().exactOptional(),
  approvedBy: StoredPrincipal.exactOptional(),
  endedAt: instant().exactOptional(),
  remindedAt: instant().exactOptional(),
});

/** Undefined for a text that scopemesh did not write. */
export function parseStoredText(text: string): BreakGlass | undefined {
  const stored = safeParse(Stored, jsonIn(text));
  return stored.success && breakGlassAccess(stored.data) !== undefined ? stored.data : undefined;
}
