import type { Config } from '../../config/config.js';
import { toMapping } from '../../config/mapping-revision.js';
import { objectsBySubject } from '../../src/acl/apply/observed-acl.js';
import { viewOf } from '../../src/apply/decision-drafts.js';
import { canonicalJson } from '../../src/model/canonical-json.js';
import type { Decision, ResourceKind } from '../../src/model/decision.js';
import { groupBy } from '../../src/model/group-by.js';
import { destinationKey, formatKey } from '../../src/model/key.js';
import { isOfWrittenEdge } from '../../src/plan/last-applied.js';
import { hasOurName, isOurs } from '../../src/plan/object-names.js';
import { isOwnedHere } from '../../src/plan/ownership.js';
import { intentionSubject } from '../../src/plan/plan.js';
import type { Runtime } from '../../src/runtime.js';
import { type SubjectState, toSubjectState } from '../../src/trail/subject-state.js';
import { openConsul, openStore } from '../../workers/wire.js';

const KINDS: ReadonlySet<ResourceKind> = new Set([
  'intention',
  'acl-policy',
  'acl-role',
  'acl-auth-method',
  'acl-binding-rule',
]);

/** What Consul has under one subject. */
interface Existing {
  /** As decisions show it; several for rules of one name. */
  readonly content: readonly unknown[];
  readonly isOurs: boolean;
}

/**
 * Where the end of the trail and Consul differ about intentions and ACL objects of ours: what the trail says is there and
 * Consul does not have, or has otherwise, and what Consul has without a word in the trail. `published`: the decisions in the
 * log, oldest first. What is settled and not published counts too; what is held or open is not compared.
 */
export async function trailFaults(
  config: Config,
  published: readonly Decision[],
  runtime: Runtime,
): Promise<readonly string[]> {
  const store = await openStore(config, runtime);
  const consul = await openConsul(config.consul, config.owner, runtime);
  try {
    const signal = new AbortController().signal;
    const mapping = toMapping(config);
    const { owner } = mapping;
    const records = await store.journal.readAll();
    const left = [...records.values()].flatMap(({ pending, holds }) => [...pending, ...holds.values()]);
    const open = new Set(left.map(({ subject }) => subject));
    const existing = new Map<string, Existing>();
    for (const { destination, sources } of await consul.intentions.list(signal)) {
      const { name, namespace, partition } = destination;
      const written = records.get(formatKey(destinationKey(name, namespace, partition)))?.lastApplied;
      for (const source of sources.filter(({ peer }) => peer === undefined)) {
        const subject = intentionSubject(destination, source.name);
        const isRecorded = isOfWrittenEdge(written?.get(subject)) && isOwnedHere(mapping, source);
        existing.set(subject, { content: [viewOf(source.access)], isOurs: isRecorded });
      }
    }
    const acl = await consul.acl.read((name) => hasOurName(owner, name), signal);
    for (const [subject, objects] of objectsBySubject(acl))
      existing.set(subject, {
        content: objects.map(({ object }) => object),
        isOurs: objects.some(({ kind, object }) =>
          isOurs(owner, kind === 'acl-binding-rule' ? object.authMethod : object.name, object.description),
        ),
      });
    const said = statesOf([...published, ...(await store.journal.outbox(100_000))]);
    return [...new Set([...said.keys(), ...existing.keys()])]
      .filter((subject) => !open.has(subject))
      .flatMap((subject) => faultOf(subject, said.get(subject), existing.get(subject)) ?? []);
  } finally {
    await consul.close();
    await store.close();
  }
}

function statesOf(decisions: readonly Decision[]): ReadonlyMap<string, SubjectState> {
  const states = new Map<string, SubjectState>();
  for (const [subject, all] of groupBy(decisions, (decision) => decision.subject)) {
    const state = toSubjectState(all.toReversed());
    if (state !== undefined && KINDS.has(state.resource.kind)) states.set(subject, state);
  }
  return states;
}

function faultOf(subject: string, state?: SubjectState, now?: Existing): string | undefined {
  if (state?.uncertain !== undefined) return undefined;
  // Somebody made the object theirs.
  if (!subject.startsWith('intention/') && now?.isOurs === false) return undefined;
  const texts = now?.content.map((each) => canonicalJson(each)) ?? [];
  const inConsul = `in Consul ${texts.join(' and ') || 'nothing'}`;
  const content = state?.content ?? null;
  if (content === null) return now?.isOurs ? `${subject}: nothing in the trail, ${inConsul}` : undefined;
  const text = canonicalJson(content);
  return texts.includes(text) ? undefined : `${subject}: in the trail ${text}, ${inConsul}`;
}
