import { SyncError } from '../../errors.js';
import { definedFields } from '../../model/defined-fields.js';
import type { ServiceName } from '../../model/intention.js';

/** The tenancy that lists are read in; both absent outside Consul Enterprise, which refuses the parameters. */
export interface Tenancy {
  readonly partition?: string | undefined;
  readonly namespace?: string | undefined;
}

export function toTenancyQuery(tenancy: Tenancy): Readonly<Record<string, string>> {
  return {
    ...definedFields({ partition: tenancy.partition, ns: tenancy.namespace }),
  };
}

/** `default` is what Consul takes anyway, and outside Enterprise the only thing it takes. */
export function toNameQuery(name: ServiceName, tenancy: Tenancy): Readonly<Record<string, string>> {
  return toTenancyQuery({
    partition: name.partition === 'default' ? tenancy.partition : name.partition,
    namespace: name.namespace === 'default' ? tenancy.namespace : name.namespace,
  });
}

/**
 * Whether a GET finds a name in the path: Consul answers 400 to a path with anything that Go does not call
 * printable (control characters, spaces other than ASCII's) and redirects dot segments away.
 */
export function isAddressable(name: string): boolean {
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u.test(name) && name !== '.' && name !== '..';
}

/** Percent-encoded. Throws ERR_CONSUL_REJECTED for a name that no GET could find. */
export function toPathName(name: string): string {
  if (isAddressable(name)) return encodeURIComponent(name);
  const message = `Consul's API cannot address the name ${JSON.stringify(name.slice(0, 100))}, so scopemesh does not write it; rename the service`;
  throw new SyncError('ERR_CONSUL_REJECTED', message, { retriable: false });
}
