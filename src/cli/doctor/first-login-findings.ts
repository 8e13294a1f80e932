import type { ServiceName } from '../../model/intention.js';
import { isOwned } from '../../plan/ownership.js';
import { allowsAnything } from '../../plan/precedence.js';
import { type ClientId, serviceText } from '../../plan/world.js';
import type { WorldState } from '../../state/world-state.js';
import { type Finding, namesText, notice, warning } from './finding.js';

interface Named {
  readonly client: ClientId;
  readonly service: ServiceName;
}

/**
 * The clients that may log in as a service before an instance is registered, and what intentions of others allow such a
 * service: no scope gives that. Call it after both sides were read.
 */
export function firstLoginFindings(world: WorldState, now: number): readonly Finding[] {
  const { providers, protectedServices, select, owner } = world.mapping;
  const named = providers
    .flatMap((provider) => [...world.clients(provider).values()])
    .flatMap((client) =>
      world
        .firstLogins(client, now)
        .filter(({ isCertain, rivals }) => isCertain && rivals === 0)
        .filter(({ service }) => !protectedServices.includes(service.name))
        .filter(({ service }) => select?.hasService(service) !== false)
        .map(({ service }): Named => ({ client, service })),
    );
  if (named.length === 0) return [];
  const allowed = new Map<string, string[]>();
  for (const { destination, sources } of world.entries.values())
    for (const source of sources)
      if (source.peer === undefined && !isOwned(owner, source) && allowsAnything(source.access)) {
        const key = serviceText(source);
        allowed.set(key, [...(allowed.get(key) ?? []), destination.name]);
      }
  return [
    notice(
      'logins.first',
      `clients that may log in as a service without instances, because they alone name it: ${namesText(named.map(textOf).toSorted())}`,
      'if a client should not, take the service out of its attribute consul-services, add it to guards.protected, or set login: registered',
    ),
    ...named.flatMap((each) => {
      const destinations = allowed.get(serviceText(each.service));
      if (destinations === undefined) return [];
      return warning(
        'logins.foreign',
        `${textOf(each)} may log in before a registration, and intentions that scopemesh does not own allow ${each.service.name} to call ${namesText(destinations.toSorted())}`,
        'give the client scopes for these calls and remove the intentions, or add the service to guards.protected',
      );
    }),
  ];
}

function textOf({ client, service }: Named): string {
  return `${client.provider}/${client.clientId} as ${service.name}`;
}
