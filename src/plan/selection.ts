import type { ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import type { Selection } from '../model/selection.js';
import { compilePattern } from './pattern.js';

/** Lists of patterns; an absent list selects everything. */
export interface Select {
  readonly services?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly partitions?: readonly string[];
  /** Over client IDs. */
  readonly clients?: readonly string[];
}

export function createSelection(select: Select): Selection {
  const isService = matcher(select.services?.map((pattern) => pattern.toLowerCase()));
  const isNamespace = matcher(select.namespaces);
  const isPartition = matcher(select.partitions);
  const isClient = matcher(select.clients);
  const hasPlace = ({ partition, namespace }: Pick<ServiceName, 'partition' | 'namespace'>) =>
    isPartition(partition) && isNamespace(namespace);
  return {
    hasPlace,
    hasName: (name) => isService(name.toLowerCase()),
    hasService: (serviceName) => hasPlace(serviceName) && isService(serviceName.name.toLowerCase()),
    hasClient: ({ clientId }) => isClient(clientId),
    limitsClients: select.clients !== undefined,
  };
}

export function selectsClient(
  { select }: Pick<Mapping, 'select'>,
  id: { readonly clientId: string },
): boolean {
  return select?.hasClient(id) ?? true;
}

function matcher(texts: readonly string[] | undefined): (text: string) => boolean {
  if (texts === undefined) return () => true;
  const patterns = texts.map(compilePattern);
  return (text) => patterns.some((pattern) => pattern.match(text) !== undefined);
}
