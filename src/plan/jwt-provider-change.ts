import { definedFields } from '../model/defined-fields.js';
import type { ExistingJwtProvider, JwtProviderEntry } from '../model/jwt-provider.js';
import type { GuardedChange } from './guards/guard.js';
import type { Guardable } from './guards/guards.js';
import type { Hold } from './plan.js';
import type { JwtProviderChange } from './plan-jwt-providers.js';
import { entryText } from './user-tokens.js';

/** What a decision and a plan report about a change. */
export function jwtProviderFacts({ name, verb, before, after }: JwtProviderChange) {
  const ACTIONS = { created: 'grant', updated: 'change', deleted: 'revoke' } as const;
  const REASONS = { created: 'ScopeGranted', updated: 'MappingChanged', deleted: 'ScopeRevoked' } as const;
  return {
    action: ACTIONS[verb],
    reason: REASONS[verb],
    resource: { kind: 'jwt-provider' as const, name },
    before: viewOfJwtProvider(before?.content),
    after: viewOfJwtProvider(after),
  };
}

export function jwtProviderSubject(name: string): string {
  return `jwt-provider/${encodeURIComponent(name)}`;
}

export type GuardedJwtProvider = JwtProviderChange & GuardedChange;

interface JwtProviderPlan {
  readonly changes: readonly GuardedJwtProvider[];
  readonly holds: readonly Hold[];
}

/**
 * Changes of jwt-providers in the form for guards. A jwt-provider that somebody changed accepts other tokens than it
 * should, so the correction narrows. Only a jwt-provider that somebody repeatedly removes is contended.
 */
export function guardableJwtProviders(
  changes: readonly JwtProviderChange[],
  lastApplied: ReadonlyMap<string, string>,
): Guardable<GuardedJwtProvider, JwtProviderPlan> {
  const toGuarded = (change: JwtProviderChange): GuardedJwtProvider => {
    const subject = jwtProviderSubject(change.name);
    // The entry differs from the last write, although the desired entry is the same.
    const isDrift = change.after !== undefined && lastApplied.get(subject) === entryText(change.after);
    return {
      ...change,
      subject,
      reason: isDrift ? 'DriftCorrected' : jwtProviderFacts(change).reason,
      narrows: change.verb !== 'created',
      widens: change.verb === 'created',
      isInferred: false,
    };
  };
  const plan = { changes: changes.map(toGuarded), holds: [] };
  return {
    plan,
    losses: [],
    keeping: () => plan,
    approved: (change) => change,
    toHold: ({ subject, name }, reason, detail) => ({
      subject,
      resource: { kind: 'jwt-provider', name },
      reason,
      detail,
      action: 'change',
      scopes: [],
    }),
    narrowing: () => undefined,
    opensLast: false,
    contendedText:
      'another writer repeatedly removes this jwt-provider, so the access that needs it stays closed; find that writer (Terraform, a script) and keep only one writer',
  };
}

export function viewOfJwtProvider(content: ExistingJwtProvider['content'] | undefined): unknown {
  if (content === undefined) return null;
  if (content === 'other') return { entry: 'other' };
  const { issuer, audiences, jwksUri, caFile, forwardHeader }: JwtProviderEntry = content;
  return { issuer, audiences, jwksUri, ...definedFields({ caFile, forwardHeader }) };
}
