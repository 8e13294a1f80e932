import type { Config } from '../../config/config.js';
import type { Consul } from '../consul/consul.js';
import { messageOf } from '../errors.js';
import type { IntentionEntry, IntentionSource } from '../model/intention.js';
import { isOwned, isSourceOf } from '../plan/ownership.js';
import { allowsAnything } from '../plan/precedence.js';
import { serviceText } from '../plan/world.js';
import { meshEdges } from '../trail/mesh-edges.js';
import type { Cli } from './cli.js';
import { withConsul } from './with-consul.js';

/** A source that scopemesh does not own, and that an intention of Consul allows now. */
export interface ForeignCaller {
  /** `*`: every service without an intention of its own. */
  readonly source: string;
  /** Of a source in another cluster. */
  readonly peer?: string;
  /** `*` for an intention about every destination. */
  readonly destination: string;
  readonly access: IntentionSource['access'];
}

/** Consul answers a question about it at once or not at all. */
const TIMEOUT_MS = 5_000;

/** Null if they are not asked for, or could not be read: then there is a warning. */
type Foreign = readonly ForeignCaller[] | null;

/** The intentions of one service. `opened`: the sources that scopemesh opened; a mark on another one proves nothing. */
export function readForeignCallers(
  serviceName: string,
  opened: ReadonlySet<string>,
  cli: Cli,
): Promise<Foreign> {
  return readForeign(cli, async ({ owner }, tenancy, consul, signal) => {
    const read = (name: string) => consul.intentions.read({ ...tenancy, name }, signal);
    const [entry, wildcard] = await Promise.all([read(serviceName), read('*')]);
    const isOurs = (source: IntentionSource) => isOwned(owner, source) && opened.has(source.name);
    return foreignCallers(isOurs, serviceName, entry, wildcard);
  });
}

async function readForeign(
  cli: Cli,
  read: (
    config: Config,
    tenancy: { readonly partition: string; readonly namespace: string },
    consul: Consul,
    signal: AbortSignal,
  ) => Promise<readonly ForeignCaller[]>,
): Promise<Foreign> {
  const signal = AbortSignal.any([cli.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    const config = await cli.openConfig();
    const { partition = 'default', namespace = 'default' } = config.consul;
    return await withConsul(cli, config, (consul) => read(config, { partition, namespace }, consul, signal));
  } catch (error) {
    cli.signal.throwIfAborted();
    cli.screen.warn(`scopemesh: the intentions of others are not listed: ${messageOf(error)}`);
    return null;
  }
}

/** Consul uses only the most exact intention for a source: an entry of the service is before the one of every service. */
function foreignCallers(
  isOurs: (source: IntentionSource) => boolean,
  serviceName: string,
  entry: IntentionEntry | undefined,
  wildcard: IntentionEntry | undefined,
): readonly ForeignCaller[] {
  const own = entry?.sources ?? [];
  const isDecided = (source: IntentionSource) =>
    own.some((each) => each.peer === source.peer && (each.name === '*' || isSourceOf(each, source)));
  return [
    ...own.map((source) => ({ source, destination: serviceName })),
    ...(wildcard?.sources ?? [])
      .filter((source) => !isDecided(source))
      .map((source) => ({ source, destination: '*' })),
  ]
    .filter(({ source }) => allowsAnything(source.access) && !isOurs(source))
    .map(({ source: { name, peer, access }, destination }) => ({
      source: name,
      ...(peer === undefined ? {} : { peer }),
      destination,
      access,
    }));
}

/** What the sources may call by intentions that scopemesh did not open. `opened`: its edges, as `source destination`. */
export function readForeignCalls(
  sources: ReadonlySet<string>,
  opened: ReadonlySet<string>,
  cli: Cli,
): Promise<Foreign> {
  return readForeign(cli, async ({ owner }, tenancy, consul, signal) => {
    const [entries, catalog] = await Promise.all([
      consul.intentions.list(signal),
      consul.readCatalog(signal),
    ]);
    const edgesFrom = meshEdges({
      owner,
      entries: new Map(entries.map((entry) => [serviceText(entry.destination), entry])),
      services: catalog.services.map(({ name }) => name),
      client: undefined,
    });
    return [...sources].flatMap((name) =>
      edgesFrom({ ...tenancy, name })
        .filter(({ source, destination }) => !opened.has(`${source} ${destination}`))
        .map(({ source, destination, access }) => ({ source, destination, access })),
    );
  });
}
