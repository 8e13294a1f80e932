import { type IntentionEntry, type ServiceName, WITHOUT_MANIFEST } from '../../model/intention.js';
import type { Intentions } from '../consul.js';
import { isSameContent } from '../content.js';
import type { ManifestDirectory, OwnFile } from './manifest-directory.js';
import {
  INTENTIONS_PREFIX,
  intentionsFile,
  type ManifestPlace,
  toEntry,
  toIntentionsText,
  toResource,
} from './own-entries.js';

export interface CrdIntentionsOptions {
  readonly files: ManifestDirectory;
  /** What Consul has. */
  readonly intentions: Pick<Intentions, 'list' | 'read'>;
  readonly place: ManifestPlace;
  /** Whether a Description carries the mark of this instance. */
  readonly isMarked: (description: string) => boolean;
  /** Called before a file with L7 permissions is written. */
  readonly prepareHttp: (destination: ServiceName, signal: AbortSignal) => Promise<void>;
  /** Gets the destinations whose entry in Consul differs from the files. */
  readonly onListed: (unsynced: readonly ServiceName[]) => void;
}

/**
 * The entries are the files, and what Consul has beside them. An entry without a file is of others as a whole: consul-k8s
 * refuses a resource for it. One that has only marked sources is what Consul still has of a deleted file, or what scopemesh
 * wrote through the API before; it counts as absent, so that its file is written if it is wanted.
 */
export function createCrdIntentions(options: CrdIntentionsOptions): Intentions {
  const { files, intentions, place, isMarked } = options;
  const parsed = new Map<string, { readonly text: string; readonly entry: IntentionEntry }>();
  const foreign = new WeakMap<IntentionEntry, IntentionEntry>();
  const synced = new WeakMap<IntentionEntry, IntentionEntry>();

  const entryOf = (file: OwnFile): IntentionEntry => {
    const known = parsed.get(file.name);
    if (known?.text === file.text) return known.entry;
    const entry = toEntry(file, place);
    parsed.set(file.name, { text: file.text, entry });
    return entry;
  };
  const asForeign = (entry: IntentionEntry): IntentionEntry => {
    const known = foreign.get(entry);
    if (known !== undefined) return known;
    const meta = { 'external-source': WITHOUT_MANIFEST, ...entry.meta };
    const made = { ...entry, meta };
    foreign.set(entry, made);
    return made;
  };
  const isOurs = ({ destination, sources }: IntentionEntry) =>
    destination.name !== '*' &&
    sources.every(({ description, peer }) => peer === undefined && isMarked(description));
  const isSynced = (ours: IntentionEntry, inConsul: IntentionEntry | undefined): boolean => {
    if (inConsul === undefined) return false;
    if (synced.get(inConsul) === ours) return true;
    const isEqual = isSameContent({ Sources: ours.raw.Sources }, { Sources: inConsul.raw.Sources });
    if (isEqual) synced.set(inConsul, ours);
    return isEqual;
  };

  return {
    async list(signal) {
      const [own, inConsul] = await Promise.all([
        files.list(INTENTIONS_PREFIX, signal),
        intentions.list(signal),
      ]);
      const entries = own.map(entryOf);
      const names = new Set(own.map(({ name }) => name));
      for (const name of parsed.keys()) if (!names.has(name)) parsed.delete(name);
      const byFile = new Map(inConsul.map((entry) => [intentionsFile(entry.destination), entry]));
      const without = inConsul.filter(({ destination }) => !names.has(intentionsFile(destination)));
      const late = entries.filter((entry, at) => !isSynced(entry, byFile.get(own[at]?.name ?? '')));
      options.onListed([...late, ...without.filter(isOurs)].map(({ destination }) => destination));
      return [...entries, ...without.filter((entry) => !isOurs(entry)).map(asForeign)];
    },

    async read(destination, signal) {
      const file = await files.read(intentionsFile(destination));
      if (file !== undefined && file !== 'foreign') return entryOf(file);
      const entry = await intentions.read(destination, signal);
      return entry === undefined || isOurs(entry) ? undefined : asForeign(entry);
    },

    async write(destination, base, sources, expectedIndex, signal) {
      const name = intentionsFile(destination);
      const file = await files.read(name);
      const before = file === 'foreign' ? undefined : file;
      const text = toIntentionsText(destination, base, sources, before, place, files.header);
      const isHttp = sources.some((source) =>
        'raw' in source ? source.raw.Permissions !== undefined : source.access.kind === 'http',
      );
      if (isHttp) await options.prepareHttp(destination, signal);
      return files.replace(name, text, expectedIndex);
    },

    delete: (destination, expectedIndex) =>
      files.replace(intentionsFile(destination), undefined, expectedIndex),

    // Kubernetes stores JSON.
    sizeOf: (destination, base, sources) =>
      Buffer.byteLength(JSON.stringify(toResource(destination, base, sources, undefined, place))),
  };
}
