import { mapBounded } from '../../limiter.js';
import type { ServiceName } from '../../model/intention.js';
import { type Raw, Reader } from '../reader.js';
import { parseJson, readComplete, readRecords } from './answer.js';
import { isAddressable, toNameQuery, toPathName } from './place.js';
import type { Operation } from './request.js';
import type { Transport } from './transport.js';

/** The entry of a name, if there is one. */
type EntryOf = (name: ServiceName) => Raw | undefined;

const CONCURRENCY = 8;

/** From this number of names of one place on, the list of all entries costs less than one request for each. */
const FEWEST_BY_LIST = 4;

/**
 * The config entries of a kind with these names, each read once. A name that the API cannot address has none, as nothing can be
 * registered by it. Throws as `readComplete`.
 */
export async function readNamedEntries(
  transport: Transport,
  { operation, kind }: { readonly operation: Operation; readonly kind: string },
  names: readonly ServiceName[],
  signal: AbortSignal,
): Promise<EntryOf> {
  const reader = new Reader(operation);
  const path = `/v1/config/${kind}`;
  const found = new Map<string, Raw>();
  const asked = new Map<string, Map<string, ServiceName>>();
  for (const name of names) {
    if (!isAddressable(name.name)) continue;
    const place = placeText(name);
    asked.set(place, (asked.get(place) ?? new Map<string, ServiceName>()).set(textOf(name), name));
  }
  const readList = async (anyone: ServiceName) => {
    const query = toNameQuery(anyone, transport.tenancy);
    for (const entry of await readRecords(transport, { operation, path, query }, signal))
      found.set(textOf({ ...anyone, name: reader.text(entry.Name) }), entry);
  };
  const readEach = (all: readonly ServiceName[]) =>
    mapBounded(all, { width: CONCURRENCY, signal }, async (name, stop) => {
      const entry = {
        operation,
        path: `${path}/${toPathName(name.name)}`,
        query: toNameQuery(name, transport.tenancy),
      };
      const answer = await readComplete(transport, entry, stop, [200, 404]);
      if (answer.status === 200) found.set(textOf(name), reader.record(parseJson(answer.body, operation)));
    });
  for (const group of asked.values()) {
    const all = [...group.values()];
    const [first] = all;
    await (first !== undefined && all.length >= FEWEST_BY_LIST ? readList(first) : readEach(all));
  }
  return (name) => found.get(textOf(name));
}

function placeText({ partition, namespace }: ServiceName): string {
  return JSON.stringify([partition, namespace]);
}

/** To Consul, names that differ in case are one. */
function textOf(name: ServiceName): string {
  return `${placeText(name)} ${name.name.toLowerCase()}`;
}
