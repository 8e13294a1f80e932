import type { Config } from '../../../config/config.js';
import type { ServiceName } from '../../model/intention.js';
import { serviceText } from '../../plan/world.js';
import type { WorldState } from '../../state/world-state.js';

/** The group of services that a name without a service is in: another cluster, or every service. */
const ELSEWHERE = 'others';

/** Says in which group the map shows a service: the first key of `http.console.groupBy` that the service has a value for. */
export function createGrouper(
  world: WorldState,
  now: number,
  { http, consul }: Pick<Config, 'http' | 'consul'>,
): (name: ServiceName | undefined) => string {
  const { groupBy } = http.console;
  const statuses = world.claimStatuses(now);
  const byMeta = groupBy.some((key) => key.startsWith('meta.'));
  const instances = new Map(
    byMeta
      ? world.catalog?.services.map((each) => [serviceText(each.name).toLowerCase(), each.instances])
      : [],
  );
  const valueFor = (key: string, name: ServiceName): string | undefined => {
    const text = serviceText(name);
    switch (key) {
      case 'namespace': {
        const isHere =
          name.partition === (consul.partition ?? 'default') &&
          name.namespace === (consul.namespace ?? 'default');
        return isHere ? undefined : `${name.partition}/${name.namespace}`;
      }
      case 'provider': {
        const claim = statuses.get(text);
        return claim === undefined || claim.kind === 'none' ? undefined : claim.client.provider;
      }
      case 'prefix':
        return name.name.split('-', 1)[0];
      default: {
        const meta = key.replace(/^meta\./, '');
        for (const instance of instances.get(text.toLowerCase()) ?? [])
          if (Object.hasOwn(instance.meta, meta)) return instance.meta[meta];
        return undefined;
      }
    }
  };
  return (name) => {
    if (name === undefined || name.name === '*') return ELSEWHERE;
    for (const key of groupBy) {
      const value = valueFor(key, name);
      if (value !== undefined && value !== '') return value;
    }
    return ELSEWHERE;
  };
}
