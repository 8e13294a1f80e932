import type { WorldState } from './world-state.js';

/** Whether Consul, a rule or the file has a service of this name, be it only by its service-defaults. */
export function isKnownService({ catalog, entries, mapping }: WorldState, name: string): boolean {
  return (
    name === '*' ||
    (catalog?.services.some((each) => each.name.name === name) ?? true) ||
    catalog?.protocols.has(name.toLowerCase()) === true ||
    [...entries.values()].some(
      ({ destination, sources }) => destination.name === name || sources.some((each) => each.name === name),
    ) ||
    mapping.rules.some(({ to }) => to === name) ||
    mapping.protectedServices.includes(name)
  );
}
