import type { Consul } from '../../consul/consul.js';
import { type Finding, warning } from './finding.js';

/** The entries of Consul that could not be read. Call it after Consul was read. */
export function unreadableFindings(consul: Pick<Consul, 'unreadable'>): readonly Finding[] {
  return consul
    .unreadable()
    .map(({ kind, name, detail }) =>
      warning(
        'consul.entry',
        `${kind} ${JSON.stringify(name)} cannot be read, so what it has stays and gains nothing: ${detail}`,
        'find out who wrote it, and make it smaller',
      ),
    );
}
