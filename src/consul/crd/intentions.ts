import {
  BROKEN_MANIFEST,
  type IntentionEntry,
  type IntentionSource,
  type NewSource,
  type ServiceName,
  WITHOUT_MANIFEST,
} from '../../model/intention.js';
import type { Intentions } from '../consul.js';
import { isSameContent } from '../content.js';
import { toWireSource } from '../source-access.js';
import { type BrokenFile, toBroken } from './broken-file.js';
import type { ManifestDirectory, OwnFile } from './manifest-directory.js';
import {
  destinationOfFile,
  INTENTIONS_PREFIX,
  intentionsFile,
  type ManifestPlace,
  toEntry,
  toIntentionsText,
  toResource,
} from './own-entries.js';

/** After the mark, in the description of a source that is in Consul and not in its file. It is never written. */
const UNMOVED = ' unmoved';
const WITH_UNMOVED = new RegExp(`^(\\S+)${UNMOVED}(?= |$)`);

interface CrdIntentionsOptions {
  readonly files: ManifestDirectory;
  /** What Consul has, and the way to change what no resource made. */
  readonly intentions: Intentions;
  readonly place: ManifestPlace;
  /** Whether a Description carries the mark of this instance. */
  readonly isMarked: (description: string) => boolean;
  /** Called before a source gets its first L7 permissions. */
  readonly prepareHttp?: ((destination: ServiceName, signal: AbortSignal) => Promise<void>) | undefined;
  readonly onListed: (listed: Listed) => void;
}

export interface Listed {
  /** The destinations whose entry in Consul differs from the files. */
  readonly unsynced: readonly ServiceName[];
  /** The destinations whose entry in Consul the API made: each write changes it too. */
  readonly fromApi: readonly ServiceName[];
  /** Why each broken file cannot be read. */
  readonly broken: readonly string[];
}

/**
 * The entries are the files. Of an entry in Consul without a file, or with another content than its file:
 *
 * | sources in Consul | made by | the entry is |
 * |---|---|---|
 * | all marked | scopemesh through the API | the one in Consul, and each plan moves it to the file |
 * | all marked | a resource | the file; without one it is absent, since GitOps deletes the resource |
 * | marked ones and others | not a resource | held, also with a file: consul-k8s refuses it, so no revocation would get there |
 * | others | anybody | the file; without one it is held, since consul-k8s refuses a resource for it |
 *
 * A destination whose file is broken has the entry in Consul, and is held: the other destinations go on.
 *
 * consul-k8s takes over an entry that the API made only if the resource is equal, and never deletes one that it did not take
 * over. So until then each write goes to both.
 */
export function createCrdIntentions(options: CrdIntentionsOptions): Intentions {
  const { files, intentions, place, isMarked } = options;
  const parsed = new Map<string, { readonly text: string; readonly entry: IntentionEntry }>();
  const synced = new WeakMap<IntentionEntry, IntentionEntry>();

  const entryOf = (file: OwnFile): IntentionEntry => {
    const known = parsed.get(file.name);
    if (known?.text === file.text) return known.entry;
    const entry = toEntry(file, place);
    parsed.set(file.name, { text: file.text, entry });
    return entry;
  };
  /** What the file says. */
  const parse = (file: OwnFile | BrokenFile): IntentionEntry | BrokenFile => {
    if ('why' in file) return file;
    try {
      return entryOf(file);
    } catch (error) {
      return toBroken(file.name, error);
    }
  };
  const asForeign = remembered((entry) => ({
    ...entry,
    meta: { 'external-source': WITHOUT_MANIFEST, ...entry.meta },
  }));
  // Another description than the desired one, so that a plan writes the source although its access stays.
  const asUnmoved = remembered((entry) => ({
    ...entry,
    sources: entry.sources.map((source) => ({
      ...source,
      description: source.description.replace(/^\S+/, `$&${UNMOVED}`),
    })),
  }));
  const isOurs = ({ destination, sources }: IntentionEntry) =>
    destination.name !== '*' &&
    sources.every(({ description, peer }) => peer === undefined && isMarked(description));
  const isFromApi = (entry: IntentionEntry | undefined): entry is IntentionEntry =>
    entry !== undefined && isOurs(entry) && !Object.hasOwn(entry.meta, 'external-source');
  const isMixed = (entry: IntentionEntry) =>
    entry.meta['external-source'] !== 'kubernetes' &&
    entry.sources.some(({ description, peer }) => peer === undefined && isMarked(description));
  const isSynced = (ours: IntentionEntry, inConsul: IntentionEntry | undefined): boolean => {
    if (inConsul === undefined) return false;
    if (synced.get(inConsul) === ours) return true;
    const isEqual = hasSources(inConsul, ours.raw.Sources);
    if (isEqual) synced.set(inConsul, ours);
    return isEqual;
  };
  const viewOf = (
    ours: IntentionEntry | BrokenFile | undefined,
    inConsul: IntentionEntry | undefined,
    destination?: ServiceName,
  ) => {
    if (ours !== undefined && 'why' in ours) return toHeldEntry(ours, inConsul, destination);
    if (isFromApi(inConsul) && !(ours && isSynced(ours, inConsul))) return asUnmoved(inConsul);
    if (inConsul !== undefined && !isFromApi(inConsul) && isMixed(inConsul)) return asForeign(inConsul);
    if (ours !== undefined || inConsul === undefined || isOurs(inConsul)) return ours;
    return asForeign(inConsul);
  };
  /** Throws ERR_CONSUL_INCOMPLETE for a broken file. */
  const look = async (destination: ServiceName, signal: AbortSignal) => {
    const [file, inConsul] = await Promise.all([
      files.read(intentionsFile(destination)),
      intentions.read(destination, signal),
    ]);
    const own = file === 'foreign' ? undefined : file;
    return { file, own, inConsul, view: viewOf(own && entryOf(own), inConsul) };
  };

  return {
    async list(signal) {
      const [own, inConsul] = await Promise.all([
        files.list(INTENTIONS_PREFIX, signal),
        intentions.list(signal),
      ]);
      const byFile = new Map(inConsul.map((entry) => [intentionsFile(entry.destination), entry]));
      const names = new Set(own.map(({ name }) => name));
      for (const name of parsed.keys()) if (!names.has(name)) parsed.delete(name);
      const without = inConsul.filter(({ destination }) => !names.has(intentionsFile(destination)));
      const seen = own.map((file) => {
        const ours = parse(file);
        const there = byFile.get(file.name);
        const view = viewOf(ours, there);
        if ('why' in ours) return { view, late: view, why: ours.why };
        return { view, late: isSynced(ours, there) ? undefined : ours };
      });
      const late = [...seen.map((each) => each.late), ...without.filter(isOurs)];
      options.onListed({
        unsynced: late.flatMap((entry) => (entry === undefined ? [] : [entry.destination])),
        fromApi: inConsul.filter(isFromApi).map(({ destination }) => destination),
        broken: seen.flatMap(({ why }) => (why === undefined ? [] : [why])),
      });
      const views = [...seen.map(({ view }) => view), ...without.map((entry) => viewOf(undefined, entry))];
      return views.filter((view) => view !== undefined);
    },

    async read(destination, signal) {
      const name = intentionsFile(destination);
      const [file, inConsul] = await Promise.all([
        files.read(name).catch((error: unknown) => toBroken(name, error)),
        intentions.read(destination, signal),
      ]);
      const own = file === 'foreign' ? undefined : file;
      return viewOf(own && parse(own), inConsul, destination);
    },

    async write(destination, current, planned, expectedIndex, signal) {
      const sources = planned.map(asMoved);
      const name = intentionsFile(destination);
      const { file, own, inConsul, view } = await look(destination, signal);
      if (file === 'foreign') throw files.foreignError(name);
      const text = toIntentionsText(destination, current, sources, own, place, files.header);
      const raws = sources.map(toWireSource);
      const isApiLate = isFromApi(inConsul) && !hasSources(inConsul, raws);
      const isDone = own?.text === text && !isApiLate;
      if (!isDone && (view?.modifyIndex ?? 0) !== expectedIndex) return { kind: 'conflict' };
      if (opensL7(sources, view)) await options.prepareHttp?.(destination, signal);
      if (isApiLate) {
        const { modifyIndex } = inConsul;
        const end = await intentions.write(destination, inConsul, sources, modifyIndex, signal);
        if (end.kind === 'conflict') return end;
      }
      return files.replace(name, text, own?.index ?? 0);
    },

    async delete(destination, expectedIndex, signal) {
      const { own, inConsul, view } = await look(destination, signal);
      if (view !== undefined && view.modifyIndex !== expectedIndex) return { kind: 'conflict' };
      if (isFromApi(inConsul)) {
        const end = await intentions.delete(destination, inConsul.modifyIndex, signal);
        if (end.kind === 'conflict') return end;
      }
      if (own === undefined) return { kind: 'written' };
      return files.replace(own.name, undefined, own.index);
    },

    // Kubernetes stores JSON.
    sizeOf: (destination, current, sources) =>
      Buffer.byteLength(JSON.stringify(toResource(destination, current, sources, undefined, place))),
  };
}

/** A plan may keep the description that it saw. */
function asMoved(source: IntentionSource | NewSource): IntentionSource | NewSource {
  if ('raw' in source) return source;
  return { ...source, description: source.description.replace(WITH_UNMOVED, '$1') };
}

/** Whether a source gets its first L7 permissions here. A write that only narrows must not depend on another file. */
function opensL7(
  sources: readonly (IntentionSource | NewSource)[],
  view: IntentionEntry | undefined,
): boolean {
  const key = ({ partition, namespace, name }: ServiceName) => JSON.stringify([partition, namespace, name]);
  const hasL7 = (source: IntentionSource | NewSource) =>
    'raw' in source ? source.raw.Permissions !== undefined : source.access.kind === 'http';
  const before = new Set(view?.sources.filter(hasL7).map(key));
  return sources.some((source) => hasL7(source) && !before.has(key(source)));
}

function hasSources(entry: IntentionEntry, sources: unknown): boolean {
  return isSameContent({ Sources: sources }, { Sources: entry.raw.Sources });
}

/** The same entry always becomes the same object. */
function remembered(change: (entry: IntentionEntry) => IntentionEntry) {
  const known = new WeakMap<IntentionEntry, IntentionEntry>();
  return (entry: IntentionEntry): IntentionEntry => {
    const made = known.get(entry) ?? change(entry);
    known.set(entry, made);
    return made;
  };
}

/**
 * The entry in Consul, or one without sources, which every plan holds for this reason. Undefined if Consul has none and the
 * file's name does not tell the destination.
 */
function toHeldEntry(
  { name, why }: BrokenFile,
  inConsul: IntentionEntry | undefined,
  destination: ServiceName | undefined = destinationOfFile(name),
): IntentionEntry | undefined {
  const entry = inConsul ?? (destination && toEmptyEntry(destination));
  return entry && { ...entry, meta: { ...entry.meta, 'external-source': `${BROKEN_MANIFEST}${why}` } };
}

function toEmptyEntry(destination: ServiceName): IntentionEntry {
  const raw = { Kind: 'service-intentions', Name: destination.name, Sources: [] };
  return { destination, sources: [], meta: {}, modifyIndex: 0, raw };
}
