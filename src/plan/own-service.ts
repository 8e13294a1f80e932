import type { ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';

/** The service with this name in the partition and namespace that scopemesh uses: where its service identities apply. */
export function ownService({ place }: Pick<Mapping, 'place'>, name: string): ServiceName {
  return { partition: 'default', namespace: 'default', ...place, name };
}
