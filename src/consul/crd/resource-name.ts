import { createHash } from 'node:crypto';
import type { ServiceName } from '../../model/intention.js';

/** RFC 1123, as Kubernetes checks the names of most resources. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const HASHED = /-[0-9a-f]{32}$/;

/** How much of the service's name stays readable before a hash: 63 characters in all. */
const READABLE = 30;

/** Whether Kubernetes accepts the name for a resource. */
export function isResourceName(name: string): boolean {
  return SUBDOMAIN.test(name);
}

/**
 * The name of the resource for a destination: the service's own where Kubernetes accepts it, else a readable part and a
 * hash of 128 bits. Two destinations never have one name. Consul compares names without regard to case, so this does too.
 */
export function toResourceName({ partition, namespace, name }: ServiceName): string {
  const lower = name.toLowerCase();
  const isDefault = partition === 'default' && namespace === 'default';
  if (isDefault && LABEL.test(lower) && !HASHED.test(lower)) return lower;
  const place = JSON.stringify([partition.toLowerCase(), namespace.toLowerCase(), lower]);
  const hash = createHash('sha256').update(place).digest('hex').slice(0, 32);
  const readable = lower.replace(/[^a-z0-9]+/g, '-').slice(0, READABLE);
  return `${readable.replace(/^-+|-+$/g, '') || 'service'}-${hash}`;
}
