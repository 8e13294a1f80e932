import { SyncError } from '../../errors.js';
import { definedFields } from '../../model/defined-fields.js';
import type { ServiceName } from '../../model/intention.js';

/** The tenancy of lists. Both are absent outside Consul Enterprise, where Consul refuses the parameters. */
export interface Tenancy {
  readonly partition?: string | undefined;
  readonly namespace?: string | undefined;
}

/** The parameters of a request. A value of '' is a bare flag (`?consistent`). */
export type Query = Readonly<Record<string, string>>;

export function toTenancyQuery(tenancy: Tenancy): Query {
  return { ...definedFields({ partition: tenancy.partition, ns: tenancy.namespace }) };
}

/** `default` is Consul's default, and outside Enterprise the only valid value. */
export function toNameQuery(name: ServiceName, tenancy: Tenancy): Query {
  return toTenancyQuery({
    partition: name.partition === 'default' ? tenancy.partition : name.partition,
    namespace: name.namespace === 'default' ? tenancy.namespace : name.namespace,
  });
}

/**
 * Whether a GET can address a name in the path. Consul answers 400 to a path with characters that Go treats as not printable
 * (control characters, spaces other than ASCII's) and redirects dot segments.
 */
export function isAddressable(name: string): boolean {
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u.test(name) && name !== '.' && name !== '..';
}

/** Percent-encoded. Throws ERR_CONSUL_REJECTED for a name that a GET cannot address. */
export function toPathName(name: string): string {
  if (isAddressable(name)) return encodeURIComponent(name);
  const message = `Consul's API cannot address the name ${JSON.stringify(name.slice(0, 100))}, so scopemesh does not write it; rename the service`;
  throw new SyncError('ERR_CONSUL_REJECTED', message, { retriable: false });
}
