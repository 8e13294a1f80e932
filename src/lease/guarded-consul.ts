import type { Consul } from '../consul/consul.js';
import type { Term } from './term.js';

/**
 * The same Consul, for a leader: directly before each write it must be proven that it leads. Consul itself compares the
 * index of an entry, but nothing of ACL objects.
 */
export function guardConsul(consul: Consul, term: Pick<Term, 'confirm'>): Consul {
  const guarded =
    <Args extends readonly unknown[], T>(write: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      await term.confirm();
      return write(...args);
    };
  const { intentions, claims, quarantines, logNote, acl, jwtProviders } = consul;
  return {
    ...consul,
    intentions: {
      ...intentions,
      write: guarded(intentions.write),
      delete: guarded(intentions.delete),
    },
    claims: { ...claims, write: guarded(claims.write) },
    quarantines: { ...quarantines, write: guarded(quarantines.write) },
    logNote: { ...logNote, write: guarded(logNote.write) },
    acl: {
      ...acl,
      write: guarded(acl.write),
      delete: guarded(acl.delete),
      deleteTokens: guarded(acl.deleteTokens),
    },
    jwtProviders: {
      ...jwtProviders,
      write: guarded(jwtProviders.write),
      delete: guarded(jwtProviders.delete),
    },
  };
}
