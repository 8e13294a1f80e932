import { fieldOf } from '../../model/field-of.js';
import type { ClaimValue, IntentionEntry, ServiceName } from '../../model/intention.js';

/** A JWT requirement of an entry, owned or foreign. */
export interface JwtBlock {
  readonly destination: ServiceName;
  /** Undefined for a requirement of the whole entry. */
  readonly source: string | undefined;
  /** Alternatives: a token of any of them is sufficient. */
  readonly providers: readonly { readonly name: string; readonly claims: readonly ClaimValue[] }[];
}

/** The JWT requirements of an entry and of its sources' permissions, without malformed ones. */
export function jwtBlocksOf({ destination, raw, sources }: IntentionEntry): readonly JwtBlock[] {
  const found = (source: string | undefined, value: unknown): readonly JwtBlock[] => {
    const providers = recordsIn(fieldOf(value, 'Providers')).flatMap((provider) => {
      const name = fieldOf(provider, 'Name');
      if (typeof name !== 'string') return [];
      return [{ name, claims: recordsIn(fieldOf(provider, 'VerifyClaims')).flatMap(claimOf) }];
    });
    return providers.length === 0 ? [] : [{ destination, source, providers }];
  };
  return [
    ...found(undefined, raw.JWT),
    ...sources.flatMap((source) =>
      recordsIn(source.raw.Permissions).flatMap((permission) =>
        found(source.name, fieldOf(permission, 'JWT')),
      ),
    ),
  ];
}

function claimOf(value: object): readonly ClaimValue[] {
  const path = fieldOf(value, 'Path');
  const text = fieldOf(value, 'Value');
  if (!Array.isArray(path) || typeof text !== 'string') return [];
  return [{ path: path.map(String), value: text }];
}

function recordsIn(value: unknown): readonly object[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'object' && each !== null) : [];
}
